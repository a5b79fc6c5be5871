// Shows what differs for a guest of wasi:keyvalue@0.2.0-draft: cursors that are numbers, counters
// without a sign.
#include <gtest/gtest.h>

#include <limits>

#include "capabilities/keyvalue/cursors.h"
#include "capabilities/keyvalue/keyvalue.h"
#include "capabilities/testing.h"
#include "wit/wasi/keyvalue_0_2_0_draft/store.h"

namespace weft::keyvalue {
namespace {

using wit::wasi::keyvalue_0_2_0_draft::store::Error;
using wit::wasi::keyvalue_0_2_0_draft::store::KeyResponse;

template <class T>
using Or = std::expected<T, Error>;
using Handle = std::uint32_t;
using Cursor = std::optional<std::uint64_t>;

class Draft : public ::testing::Test {
 protected:
  const Offer& store() { return offer_of(capability_, "wasi:keyvalue/store@0.2.0-draft"); }
  const Offer& atomics() { return offer_of(capability_, "wasi:keyvalue/atomics@0.2.0-draft"); }
  const Offer& batch() { return offer_of(capability_, "wasi:keyvalue/batch@0.2.0-draft"); }
  Handle open() { return **guest_.call<Or<Handle>>(store(), "open", ""); }
  Or<KeyResponse> list(Handle bucket, Cursor cursor) {
    return *guest_.call<Or<KeyResponse>>(store(), "[method]bucket.list-keys", bucket, cursor);
  }
  Or<std::uint64_t> increment(Handle bucket, std::string_view key, std::uint64_t delta) {
    return *guest_.call<Or<std::uint64_t>>(atomics(), "increment", bucket, key, delta);
  }

  KeyvalueCapability capability_{memory_backend()};
  TestGuest guest_{capability_, {.any_name = true}};
};

TEST_F(Draft, a_number_stands_for_the_place_where_a_list_goes_on) {
  Handle bucket = open();
  std::vector<std::tuple<std::string, Bytes>> pairs;
  for (int i = 0; i < 2500; ++i) pairs.emplace_back("key-" + std::to_string(i), Bytes());
  ASSERT_TRUE(guest_.call<Or<void>>(batch(), "set-many", bucket, pairs)->has_value());
  std::size_t count = 0;
  Cursor cursor;
  do {
    auto page = list(bucket, cursor);
    ASSERT_TRUE(page.has_value());
    count += page->keys.size();
    cursor = page->cursor;
  } while (cursor);
  EXPECT_EQ(count, pairs.size());
}

TEST_F(Draft, a_number_that_was_never_given_out_is_an_error) {
  auto page = list(open(), 7);
  ASSERT_FALSE(page.has_value());
  EXPECT_TRUE(page.error().is<Error::Other>());
}

TEST_F(Draft, counters_have_no_sign_here) {
  Handle bucket = open();
  EXPECT_EQ(increment(bucket, "n", 5), 5u);
  EXPECT_EQ(increment(bucket, "n", 1), 6u);
  EXPECT_FALSE(increment(bucket, "n", std::numeric_limits<std::uint64_t>::max()).has_value());
  EXPECT_FALSE(increment(bucket, "n", std::numeric_limits<std::int64_t>::max()).has_value());
  EXPECT_EQ(increment(bucket, "n", 0), 6u);
  ASSERT_TRUE(guest_.call<Or<void>>(store(), "[method]bucket.set", bucket, "n", as_bytes("-5"))
                  ->has_value());
  EXPECT_FALSE(increment(bucket, "n", 1).has_value());
}

TEST(Cursors, forget_the_oldest) {
  Cursors cursors;
  auto first = cursors.keep("first");
  EXPECT_EQ(cursors.find(first), "first");
  EXPECT_EQ(cursors.find(0), std::nullopt);
  EXPECT_EQ(cursors.find(first + 1), std::nullopt);
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < Cursors::kCursorsMax; ++i) last = cursors.keep(std::to_string(i));
  EXPECT_EQ(cursors.find(first), std::nullopt);
  EXPECT_EQ(cursors.find(first + 1), "0");
  EXPECT_EQ(cursors.find(last), std::to_string(Cursors::kCursorsMax - 1));
}

}  // namespace
}  // namespace weft::keyvalue
