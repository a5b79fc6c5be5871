// Shows what is found again, and that neither entries nor bytes nor time go over their bounds: the
// one that was asked for longest ago goes first.

#include "door/reply_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace weft {
namespace {

using std::chrono::seconds;

class ReplyCacheTest : public ::testing::Test {
 protected:
  static void keep(ReplyCache& cache, std::string_view asked, std::string_view reply,
                   ReplyCache::Time now = {}) {
    cache.keep(ReplyKey(0, as_bytes(asked)), std::make_shared<const Bytes>(to_bytes(reply)), now);
  }
  static std::string find(ReplyCache& cache, std::string_view asked, ReplyCache::Time now = {}) {
    ReplyCache::Reply found = cache.find(ReplyKey(0, as_bytes(asked)), now);
    return found == nullptr ? "nothing" : std::string(as_text(*found));
  }
};

TEST_F(ReplyCacheTest, FindsByFunctionAndArguments) {
  ReplyCache cache({});
  keep(cache, "a", "A");
  keep(cache, "", "empty");
  EXPECT_EQ(find(cache, "a"), "A");
  EXPECT_EQ(find(cache, ""), "empty");
  EXPECT_EQ(find(cache, "b"), "nothing");
  EXPECT_EQ(cache.find(ReplyKey(1, as_bytes("a")), {}), nullptr);
  keep(cache, "a", "B");
  EXPECT_EQ(find(cache, "a"), "B");
  EXPECT_EQ(cache.entries(), 2U);
}

TEST_F(ReplyCacheTest, TheOneAskedForLongestAgoGoesFirst) {
  ReplyCache cache({.entries = 3});
  for (const char* each : {"a", "b", "c"}) keep(cache, each, each);
  EXPECT_EQ(find(cache, "a"), "a");
  keep(cache, "d", "d");
  EXPECT_EQ(find(cache, "b"), "nothing");
  EXPECT_EQ(find(cache, "a"), "a");
  EXPECT_EQ(find(cache, "c"), "c");
  EXPECT_EQ(find(cache, "d"), "d");
  EXPECT_EQ(cache.entries(), 3U);
}

TEST_F(ReplyCacheTest, BytesAreBoundedWithWhatAnEntryTakesItself) {
  constexpr std::size_t kEach = 1 + 10 + ReplyCache::kEntryBytes;
  ReplyCache cache({.entries = 1000, .bytes = 2 * kEach});
  std::string reply(10, 'r');
  keep(cache, "a", reply);
  keep(cache, "b", reply);
  EXPECT_EQ(cache.bytes(), 2 * kEach);
  keep(cache, "c", reply);
  EXPECT_EQ(cache.bytes(), 2 * kEach);
  EXPECT_EQ(find(cache, "a"), "nothing");
  // One that needs the room of both has it, and one that never fits drives nobody out.
  keep(cache, "d", std::string(10 + kEach, 'd'));
  EXPECT_EQ(cache.entries(), 1U);
  keep(cache, "e", std::string(11 + kEach, 'e'));
  EXPECT_EQ(find(cache, "e"), "nothing");
  EXPECT_EQ(cache.entries(), 1U);
  // What was kept is not true any more once there is another reply.
  keep(cache, "d", std::string(11 + kEach, 'd'));
  EXPECT_EQ(cache.entries(), 0U);
  EXPECT_EQ(cache.bytes(), 0U);
}

TEST_F(ReplyCacheTest, AReplyHoldsForItsTime) {
  ReplyCache cache({.keep = seconds(10)});
  ReplyCache::Time start{seconds(100)};
  keep(cache, "a", "A", start);
  EXPECT_EQ(find(cache, "a", start + seconds(9)), "A");
  // Being asked for makes it no younger.
  EXPECT_EQ(find(cache, "a", start + seconds(10)), "nothing");
  EXPECT_EQ(cache.entries(), 0U);
  EXPECT_EQ(cache.bytes(), 0U);
}

}  // namespace
}  // namespace weft
