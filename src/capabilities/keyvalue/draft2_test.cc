// Shows what a guest of wasi:keyvalue@0.2.0-draft2 sees, on each embedded driver: calls the
// providers with bytes, as the engine does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/keyvalue/keyvalue.h"
#include "capabilities/test_folder.h"
#include "capabilities/testing.h"
#include "wit/wasi/keyvalue_0_2_0_draft2/store.h"

namespace weft::keyvalue {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using wit::wasi::keyvalue_0_2_0_draft2::store::Error;
using wit::wasi::keyvalue_0_2_0_draft2::store::KeyResponse;

template <class T>
using Or = std::expected<T, Error>;
using Handle = std::uint32_t;

class Draft2 : public ::testing::TestWithParam<const char*> {
 protected:
  Draft2() : capability_(make_backend()), guest_(capability_, {.names = {"", "mine"}}) {}

  std::unique_ptr<Backend> make_backend() {
    return GetParam() == std::string_view("lmdb") ? lmdb_backend(state_) : memory_backend();
  }
  const Offer& store() { return offer_of(capability_, "wasi:keyvalue/store@0.2.0-draft2"); }
  const Offer& atomics() { return offer_of(capability_, "wasi:keyvalue/atomics@0.2.0-draft2"); }
  const Offer& batch(std::size_t shape) {
    return offer_of(capability_, "wasi:keyvalue/batch@0.2.0-draft2", shape);
  }

  Handle open(std::string_view name = "") {
    auto opened = guest_.call<Or<Handle>>(store(), "open", name);
    CHECK(opened.has_value() && opened->has_value());
    return **opened;
  }
  Or<void> set(Handle bucket, std::string_view key, std::string_view value) {
    return *guest_.call<Or<void>>(store(), "[method]bucket.set", bucket, key, as_bytes(value));
  }
  std::string get(Handle bucket, std::string_view key) {
    auto value = *guest_.call<Or<std::optional<Bytes>>>(store(), "[method]bucket.get", bucket, key);
    if (!value) return "(error)";
    return *value ? std::string(as_text(**value)) : "(none)";
  }
  Handle cas(Handle bucket, std::string_view key) {
    return **guest_.call<Or<Handle>>(atomics(), "[static]cas.new", bucket, key);
  }
  std::string current(Handle cas) {
    auto value = *guest_.call<Or<std::optional<Bytes>>>(atomics(), "[method]cas.current", cas);
    return *value ? std::string(as_text(**value)) : "(none)";
  }
  // The handle that a lost swap hands out, or nothing when it was won.
  std::optional<Handle> swap(Handle cas, std::string_view value) {
    auto swapped = guest_.call<std::expected<Nothing, std::tuple<std::uint8_t, Handle>>>(
        atomics(), "swap", cas, as_bytes(value));
    CHECK(swapped.has_value());
    if (*swapped) return std::nullopt;
    CHECK(std::get<0>(swapped->error()) == 1);
    return std::get<1>(swapped->error());
  }

  TestFolder folder_;
  StateFolderOnDemand state_{folder_.path()};
  KeyvalueCapability capability_;
  TestGuest guest_;
};

INSTANTIATE_TEST_SUITE_P(keyvalue, Draft2, ::testing::Values("memory", "lmdb"),
                         [](const auto& driver) { return std::string(driver.param); });

TEST_P(Draft2, opens_what_was_granted_and_refuses_the_rest) {
  EXPECT_TRUE((*guest_.call<Or<Handle>>(store(), "open", "mine")).has_value());
  auto refused = *guest_.call<Or<Handle>>(store(), "open", "other");
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().is<Error::AccessDenied>());
}

TEST_P(Draft2, a_bucket_keeps_what_is_set) {
  Handle bucket = open();
  EXPECT_EQ(get(bucket, "k"), "(none)");
  EXPECT_TRUE(set(bucket, "k", "v").has_value());
  EXPECT_EQ(get(bucket, "k"), "v");
  EXPECT_EQ(get(open(), "k"), "v");
  EXPECT_EQ(get(open("mine"), "k"), "(none)");
  EXPECT_TRUE(**guest_.call<Or<bool>>(store(), "[method]bucket.exists", bucket, "k"));
  EXPECT_TRUE(guest_.call<Or<void>>(store(), "[method]bucket.delete", bucket, "k")->has_value());
  EXPECT_EQ(get(bucket, "k"), "(none)");
  EXPECT_FALSE(**guest_.call<Or<bool>>(store(), "[method]bucket.exists", bucket, "k"));
}

TEST_P(Draft2, apps_do_not_share_buckets_and_components_of_one_do) {
  set(open(), "k", "mine");
  TestGuest same(capability_, {.any_name = true});
  TestGuest other(capability_, {.any_name = true}, "other app");
  for (auto [guest, there] : {std::pair(&same, true), std::pair(&other, false)}) {
    Handle bucket = **guest->call<Or<Handle>>(store(), "open", "");
    EXPECT_EQ(**guest->call<Or<bool>>(store(), "[method]bucket.exists", bucket, "k"), there);
  }
}

TEST_P(Draft2, a_failure_is_told_in_words_and_does_not_trap) {
  Handle bucket = open();
  auto refused = set(bucket, std::string(2000, 'k'), "v");
  ASSERT_FALSE(refused.has_value());
  ASSERT_TRUE(refused.error().is<Error::Other>());
  EXPECT_THAT(refused.error().as<Error::Other>()->value, HasSubstr("2000 bytes"));
}

TEST_P(Draft2, a_wrong_handle_fails_that_call) {
  EXPECT_FALSE(guest_.call<Or<bool>>(store(), "[method]bucket.exists", 77u, "k").has_value());
  Handle bucket = open();
  Handle handle = cas(bucket, "k");
  EXPECT_FALSE(guest_.call<Or<bool>>(store(), "[method]bucket.exists", handle, "k").has_value());
  guest_.resources().drop(bucket);
  EXPECT_FALSE(guest_.call<Or<bool>>(store(), "[method]bucket.exists", bucket, "k").has_value());
}

TEST_P(Draft2, lists_in_pages) {
  Handle bucket = open();
  std::vector<std::tuple<std::string, Bytes>> pairs;
  for (int i = 0; i < 1005; ++i) pairs.emplace_back("key-" + std::to_string(i), Bytes());
  ASSERT_TRUE(guest_.call<Or<void>>(batch(0), "set-many", bucket, pairs)->has_value());
  using Cursor = std::optional<std::string>;
  auto first =
      **guest_.call<Or<KeyResponse>>(store(), "[method]bucket.list-keys", bucket, Cursor());
  EXPECT_EQ(first.keys.size(), 1000u);
  ASSERT_TRUE(first.cursor.has_value());
  auto second =
      **guest_.call<Or<KeyResponse>>(store(), "[method]bucket.list-keys", bucket, first.cursor);
  EXPECT_EQ(second.keys.size(), 5u);
  EXPECT_FALSE(second.cursor.has_value());
}

TEST_P(Draft2, increments_with_a_sign) {
  Handle bucket = open();
  using Sum = Or<std::int64_t>;
  EXPECT_EQ(**guest_.call<Sum>(atomics(), "increment", bucket, "n", std::int64_t{5}), 5);
  EXPECT_EQ(**guest_.call<Sum>(atomics(), "increment", bucket, "n", std::int64_t{-8}), -3);
  EXPECT_EQ(get(bucket, "n"), "-3");
  set(bucket, "n", "no number");
  auto refused = *guest_.call<Sum>(atomics(), "increment", bucket, "n", std::int64_t{1});
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().is<Error::Other>());
}

TEST_P(Draft2, a_swap_uses_its_handle_up_and_a_lost_one_hands_out_another) {
  Handle bucket = open();
  Handle one = cas(bucket, "k");
  Handle two = cas(bucket, "k");
  EXPECT_EQ(current(one), "(none)");
  std::uint32_t open_handles = guest_.resources().size();
  EXPECT_EQ(swap(one, "first"), std::nullopt);
  EXPECT_EQ(guest_.resources().size(), open_handles - 1);
  EXPECT_EQ(current(two), "(none)") << "a snapshot does not move";
  auto again = swap(two, "second");
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(guest_.resources().size(), open_handles - 1);
  EXPECT_EQ(get(bucket, "k"), "first");
  EXPECT_EQ(current(*again), "first");
  EXPECT_EQ(swap(*again, "third"), std::nullopt);
  EXPECT_EQ(get(bucket, "k"), "third");
}

TEST_P(Draft2, a_cas_outlives_its_bucket) {
  Handle bucket = open();
  set(bucket, "k", "1");
  Handle handle = cas(bucket, "k");
  guest_.resources().drop(bucket);
  EXPECT_EQ(current(handle), "1");
  EXPECT_EQ(swap(handle, "2"), std::nullopt);
  EXPECT_EQ(get(open(), "k"), "2");
}

TEST_P(Draft2, batches_in_both_shapes_keep_the_order_of_the_request) {
  Handle bucket = open();
  std::vector<std::tuple<std::string, Bytes>> pairs{{"a", to_bytes("1")}, {"b", to_bytes("2")}};
  ASSERT_TRUE(guest_.call<Or<void>>(batch(1), "set-many", bucket, pairs)->has_value());
  std::vector<std::string> keys{"b", "none", "a", "b"};

  using ShapeA = std::vector<std::optional<std::tuple<std::string, Bytes>>>;
  auto shape_a = **guest_.call<Or<ShapeA>>(batch(0), "get-many", bucket, keys);
  EXPECT_THAT(shape_a, ElementsAre(std::tuple("b", to_bytes("2")), std::nullopt,
                                   std::tuple("a", to_bytes("1")), std::tuple("b", to_bytes("2"))));

  using ShapeB = std::vector<std::tuple<std::string, std::optional<Bytes>>>;
  auto shape_b = **guest_.call<Or<ShapeB>>(batch(1), "get-many", bucket, keys);
  EXPECT_THAT(shape_b, ElementsAre(std::tuple("b", to_bytes("2")), std::tuple("none", std::nullopt),
                                   std::tuple("a", to_bytes("1")), std::tuple("b", to_bytes("2"))));

  ASSERT_TRUE(guest_.call<Or<void>>(batch(0), "delete-many", bucket, keys)->has_value());
  EXPECT_EQ(get(bucket, "a"), "(none)");
}

}  // namespace
}  // namespace weft::keyvalue
