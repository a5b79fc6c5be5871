// Topics, patterns and what lies in a log: what is taken, and what is refused.
#include "capabilities/messaging/message.h"

#include <gtest/gtest.h>

namespace weft::messaging {
namespace {

TEST(Topics, MatchByTheirParts) {
  EXPECT_TRUE(matches("a.b", "a.b"));
  EXPECT_FALSE(matches("a.b", "a.b.c"));
  EXPECT_FALSE(matches("a.b.c", "a.b"));
  EXPECT_TRUE(matches("a.*", "a.b"));
  EXPECT_FALSE(matches("a.*", "a"));
  EXPECT_FALSE(matches("a.*", "a.b.c"));
  EXPECT_TRUE(matches("*.b", "a.b"));
  EXPECT_TRUE(matches("a.>", "a.b"));
  EXPECT_TRUE(matches("a.>", "a.b.c"));
  EXPECT_FALSE(matches("a.>", "a"));
  EXPECT_TRUE(matches(">", "a"));
  EXPECT_FALSE(matches("b.>", "a.b"));
}

TEST(Messages, TakeMemoryWithAllThatIsInThem) {
  std::size_t empty = size_of({"t", {}});
  EXPECT_GE(size_of({"t", Bytes(1'000)}), empty + 1'000);
  EXPECT_GE(size_of({"t", {}, std::string(1'000, 'x')}), empty + 1'000);
  EXPECT_GE(size_of({"t", {}, {}, {}, {{"k", std::string(1'000, 'x')}}}), empty + 1'000);
}

TEST(Topics, AreChecked) {
  for (const char* good : {"a", "a.b", "a-b_c.1", "gr\u00fc\u00dfe"}) {
    EXPECT_TRUE(check_topic(good).has_value()) << good;
    EXPECT_TRUE(check_pattern(good).has_value()) << good;
  }
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "a b", "a\nb", "a\x7f"}) {
    EXPECT_FALSE(check_topic(bad).has_value()) << bad;
    EXPECT_FALSE(check_pattern(bad).has_value()) << bad;
  }
  for (const char* pattern : {"*", ">", "a.*.c", "a.>"}) {
    EXPECT_FALSE(check_topic(pattern).has_value()) << pattern;
    EXPECT_TRUE(check_pattern(pattern).has_value()) << pattern;
  }
  for (const char* pattern : {"a.>.b", "a*", "a.b>"}) {
    EXPECT_FALSE(check_pattern(pattern).has_value()) << pattern;
  }
}

TEST(Messages, ComeOutOfALogAsTheyWentIn) {
  Message message{"t", to_bytes("data"), "text/plain", "back", {{"a", "1"}, {"a", ""}}};
  EXPECT_EQ(decode(encode(message)).value(), message);
  EXPECT_EQ(decode(encode({"t", {}})).value(), (Message{"t", {}}));
}

TEST(Messages, ThatAreCutOrChangedAreRefusedOrOthersButNeverMore) {
  Bytes whole = encode({"topic", to_bytes("data"), "type", {}, {{"key", "value"}}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(decode(BytesView(whole).first(size)).has_value()) << size;
  }
  Bytes longer = whole;
  longer.push_back(0);
  EXPECT_FALSE(decode(longer).has_value());
}

}  // namespace
}  // namespace weft::messaging
