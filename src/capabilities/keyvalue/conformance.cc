// Shows that a driver does what bucket.h promises: runs each operation against a fresh backend.
#include "capabilities/keyvalue/conformance.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <set>

namespace weft::keyvalue {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

void Conformance::set(Bucket& bucket, std::string_view key, std::string_view value) {
  auto done = wait(bucket.set(request(), key, as_bytes(value)));
  ASSERT_TRUE(done.has_value()) << done.error().message();
}

std::string Conformance::get(Bucket& bucket, std::string_view key) {
  auto value = wait(bucket.get(request(), key));
  if (!value) return "(error) " + value.error().message();
  return *value ? std::string(as_text(**value)) : "(none)";
}

std::vector<std::string> Conformance::keys_of(Bucket& bucket) {
  std::vector<std::string> keys;
  std::optional<std::string> cursor;
  do {
    auto page = wait(bucket.list(request(), cursor));
    if (!page) return {"(error) " + page.error().message()};
    keys.insert(keys.end(), page->keys.begin(), page->keys.end());
    cursor = page->cursor;
  } while (cursor);
  return keys;
}

namespace {

constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();

TEST_P(Conformance, an_absent_key_is_no_error) {
  auto bucket = open("b");
  EXPECT_EQ(get(*bucket, "k"), "(none)");
  EXPECT_FALSE(*wait(bucket->exists(request(), "k")));
  EXPECT_TRUE(wait(bucket->erase(request(), "k")).has_value());
  EXPECT_THAT(keys_of(*bucket), IsEmpty());
}

TEST_P(Conformance, what_was_set_is_there_until_it_is_deleted) {
  auto bucket = open("b");
  set(*bucket, "k", "one");
  EXPECT_EQ(get(*bucket, "k"), "one");
  set(*bucket, "k", "two, and longer");
  EXPECT_EQ(get(*bucket, "k"), "two, and longer");
  EXPECT_TRUE(*wait(bucket->exists(request(), "k")));
  EXPECT_TRUE(wait(bucket->erase(request(), "k")).has_value());
  EXPECT_EQ(get(*bucket, "k"), "(none)");
  EXPECT_FALSE(*wait(bucket->exists(request(), "k")));
}

TEST_P(Conformance, the_empty_key_and_the_empty_value_are_as_good_as_others) {
  auto bucket = open("");
  set(*bucket, "", "value of the empty key");
  set(*bucket, "empty", "");
  EXPECT_EQ(get(*bucket, ""), "value of the empty key");
  EXPECT_EQ(get(*bucket, "empty"), "");
  EXPECT_TRUE(*wait(bucket->exists(request(), "empty")));
  EXPECT_THAT(keys_of(*bucket), ElementsAre("", "empty"));
  EXPECT_TRUE(wait(bucket->erase(request(), "")).has_value());
  EXPECT_THAT(keys_of(*bucket), ElementsAre("empty"));
}

TEST_P(Conformance, keys_and_values_may_hold_any_byte) {
  auto bucket = open("b");
  std::string value;
  for (int i = 0; i < 512; ++i) value.push_back(static_cast<char>(i));
  std::string zero_key("a\0b", 3);
  set(*bucket, zero_key, value);
  set(*bucket, "sn\u00f6w \u2603", "x");
  EXPECT_EQ(get(*bucket, zero_key), value);
  EXPECT_EQ(get(*bucket, "a"), "(none)");
  EXPECT_THAT(keys_of(*bucket), ElementsAre(zero_key, "sn\u00f6w \u2603"));
}

TEST_P(Conformance, keys_up_to_the_bound_are_kept_and_longer_ones_refused) {
  auto bucket = open("b");
  std::vector<std::string> keys;
  for (std::size_t size : {469, 470, 471, 502, 503, 511, 512, 1023, 1024}) {
    keys.push_back(std::string(size, 'k'));
  }
  // Differ only in the last byte, behind what any index may hold.
  keys.push_back(std::string(1023, 'x') + "1");
  keys.push_back(std::string(1023, 'x') + "2");
  for (auto& key : keys) set(*bucket, key, fmt::format("{}{}", key.size(), key.back()));
  for (auto& key : keys) EXPECT_EQ(get(*bucket, key), fmt::format("{}{}", key.size(), key.back()));
  auto listed = keys_of(*bucket);
  EXPECT_THAT(listed, ::testing::UnorderedElementsAreArray(keys));
  std::string too_long(kKeyBytesMax + 1, 'k');
  EXPECT_EQ(wait(bucket->set(request(), too_long, {})).error().code(), Errc::kInvalid);
  EXPECT_EQ(wait(bucket->get(request(), too_long)).error().code(), Errc::kInvalid);
  EXPECT_EQ(wait(bucket->increment(request(), too_long, 1)).error().code(), Errc::kInvalid);
  for (auto& key : keys) EXPECT_TRUE(wait(bucket->erase(request(), key)).has_value());
  EXPECT_THAT(keys_of(*bucket), IsEmpty());
}

TEST_P(Conformance, values_up_to_the_bound_are_kept_and_larger_ones_refused) {
  auto bucket = open("b");
  Bytes value(GetParam().value_bytes_max);
  for (std::size_t i = 0; i < value.size(); i += 4093) value[i] = static_cast<std::uint8_t>(i);
  auto done = wait(bucket->set(request(), "large", value));
  ASSERT_TRUE(done.has_value()) << done.error().message();
  auto back = wait(bucket->get(request(), "large"));
  ASSERT_TRUE(back.has_value() && back->has_value());
  EXPECT_TRUE(**back == value);
  value.push_back(0);
  EXPECT_EQ(wait(bucket->set(request(), "large", value)).error().code(), Errc::kInvalid);
  EXPECT_EQ(wait(bucket->get(request(), "large"))->value().size(), GetParam().value_bytes_max);
}

TEST_P(Conformance, buckets_and_owners_do_not_see_each_other) {
  struct Place {
    std::string_view owner, name;
  };
  std::vector<Place> places = {{"a", "bc"}, {"ab", "c"}, {"abc", ""}, {"", "abc"}, {"a", "b"}};
  std::vector<std::unique_ptr<Bucket>> buckets;
  for (auto place : places) buckets.push_back(open(place.name, place.owner));
  for (std::size_t i = 0; i < places.size(); ++i) set(*buckets[i], "k", std::to_string(i));
  set(*buckets[1], "only here", "x");
  for (std::size_t i = 0; i < places.size(); ++i) {
    EXPECT_EQ(get(*buckets[i], "k"), std::to_string(i));
    EXPECT_EQ(keys_of(*buckets[i]).size(), i == 1 ? 2u : 1u);
  }
  EXPECT_TRUE(wait(buckets[0]->erase(request(), "k")).has_value());
  EXPECT_EQ(get(*buckets[2], "k"), "2");
  std::string long_name(kBucketNameBytesMax, 'n');
  set(*open(long_name, long_name), "k", "long");
  EXPECT_EQ(get(*open(long_name, long_name), "k"), "long");
  auto refused = wait(store_->open(request(), {"app", long_name + "n"}));
  EXPECT_EQ(refused.error().code(), Errc::kInvalid);
}

TEST_P(Conformance, a_bucket_may_be_opened_twice_and_outlive_its_store) {
  auto other_store = backend_->store(loop_);
  auto first = open("b");
  auto second = open_in(*other_store, "b", "app");
  other_store.reset();
  set(*first, "k", "1");
  EXPECT_EQ(get(*second, "k"), "1");
  set(*second, "k", "2");
  EXPECT_EQ(get(*first, "k"), "2");
}

TEST_P(Conformance, a_list_is_in_byte_order_and_in_pages) {
  auto bucket = open("b");
  auto neighbour = open("c");
  set(*neighbour, "key", "x");
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < GetParam().page_keys * 5 / 2; ++i) {
    expected.push_back(fmt::format("key-{}", i));
  }
  std::vector<Pair> pairs;
  for (auto& key : expected) pairs.emplace_back(key, as_bytes("v"));
  ASSERT_TRUE(wait(bucket->set_many(request(), pairs)).has_value());
  std::ranges::sort(expected);
  auto page = wait(bucket->list(request(), std::nullopt));
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(page->keys.size(), GetParam().page_keys);
  EXPECT_TRUE(page->cursor.has_value());
  EXPECT_EQ(keys_of(*bucket), expected);
}

TEST_P(Conformance, a_full_last_page_has_no_cursor) {
  auto bucket = open("b");
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < GetParam().page_keys; ++i) keys.push_back(fmt::format("{:04}", i));
  std::vector<Pair> pairs;
  for (auto& key : keys) pairs.emplace_back(key, BytesView());
  ASSERT_TRUE(wait(bucket->set_many(request(), pairs)).has_value());
  auto page = wait(bucket->list(request(), std::nullopt));
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(page->keys, keys);
  EXPECT_FALSE(page->cursor.has_value());
}

TEST_P(Conformance, a_list_goes_on_where_it_was_whatever_is_written_meanwhile) {
  auto bucket = open("b");
  std::vector<std::string> keys;
  std::size_t page_keys = GetParam().page_keys;
  for (std::size_t i = 0; i < page_keys * 3 / 2; ++i) keys.push_back(fmt::format("{:05}", i * 10));
  std::vector<Pair> pairs;
  for (auto& key : keys) pairs.emplace_back(key, BytesView());
  ASSERT_TRUE(wait(bucket->set_many(request(), pairs)).has_value());
  auto first = wait(bucket->list(request(), std::nullopt));
  ASSERT_TRUE(first.has_value() && first->cursor.has_value());
  // Before the cursor: the key of the cursor itself goes, and others come.
  ASSERT_TRUE(wait(bucket->erase(request(), first->keys.back())).has_value());
  set(*bucket, "00001", "new, before the cursor");
  // Behind it.
  std::size_t behind = page_keys * 6 / 5;
  ASSERT_TRUE(wait(bucket->erase(request(), keys[behind])).has_value());
  set(*bucket, "99999", "new, behind the cursor");
  auto second = wait(bucket->list(request(), first->cursor));
  ASSERT_TRUE(second.has_value());
  EXPECT_FALSE(second->cursor.has_value());
  auto seen = first->keys;
  seen.insert(seen.end(), second->keys.begin(), second->keys.end());
  EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), seen.size()) << "a key came twice";
  keys.erase(keys.begin() + static_cast<std::ptrdiff_t>(behind));
  keys.push_back("99999");
  EXPECT_EQ(seen, keys);
}

TEST_P(Conformance, a_counter_starts_from_nothing_and_is_decimal_text) {
  auto bucket = open("b");
  EXPECT_EQ(wait(bucket->increment(request(), "n", 5)), 5);
  EXPECT_EQ(get(*bucket, "n"), "5");
  EXPECT_EQ(wait(bucket->increment(request(), "n", -7)), -2);
  EXPECT_EQ(get(*bucket, "n"), "-2");
  EXPECT_EQ(wait(bucket->increment(request(), "n", 0)), -2);
  set(*bucket, "n", "41");
  EXPECT_EQ(wait(bucket->increment(request(), "n", 1)), 42);
  EXPECT_EQ(wait(bucket->increment(request(), "zero", 0)), 0);
  EXPECT_EQ(get(*bucket, "zero"), "0");
}

TEST_P(Conformance, a_counter_that_is_no_number_fails_and_stays) {
  auto bucket = open("b");
  for (std::string_view text : {"", "x", "1x", " 1", "1 ", "+1", "1.5", "0x10", "--1",
                                "9223372036854775808", "\x01\0\0\0\0\0\0\0"}) {
    set(*bucket, "n", text);
    auto sum = wait(bucket->increment(request(), "n", 1));
    ASSERT_FALSE(sum.has_value()) << text;
    EXPECT_EQ(sum.error().code(), Errc::kInvalid);
    EXPECT_EQ(get(*bucket, "n"), text);
  }
}

TEST_P(Conformance, a_counter_that_would_not_fit_fails_and_stays) {
  auto bucket = open("b");
  EXPECT_EQ(wait(bucket->increment(request(), "n", kMost)), kMost);
  EXPECT_EQ(wait(bucket->increment(request(), "n", 1)).error().code(), Errc::kInvalid);
  EXPECT_EQ(get(*bucket, "n"), std::to_string(kMost));
  EXPECT_EQ(wait(bucket->increment(request(), "m", kLeast)), kLeast);
  EXPECT_EQ(wait(bucket->increment(request(), "m", -1)).error().code(), Errc::kInvalid);
  EXPECT_EQ(get(*bucket, "m"), std::to_string(kLeast));
}

TEST_P(Conformance, increments_from_several_loops_all_count) {
  const int each = GetParam().increments;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      Loop loop;
      auto store = backend_->store(loop);
      Request mine{loop, Deadline::after(std::chrono::seconds(30))};
      auto bucket = await(loop, store->open(mine, {"app", "b"}));
      for (int n = 0; n < each; ++n) {
        if (!await(loop, (*bucket)->increment(mine, "n", 1))) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(get(*open("b"), "n"), std::to_string(3 * each));
}

TEST_P(Conformance, sixty_four_incrementers_sum_exactly) {
  constexpr int kAtOnce = 64;
  constexpr int kEach = 20;
  auto bucket = open("b");
  std::set<std::int64_t> sums;
  for (int round = 0; round < kEach; ++round) {
    std::vector<Answer<std::int64_t>> answers;
    for (int i = 0; i < kAtOnce; ++i) answers.push_back(bucket->increment(request(), "n", 1));
    for (auto& answer : answers) {
      auto sum = wait(std::move(answer));
      ASSERT_TRUE(sum.has_value()) << sum.error().message();
      EXPECT_TRUE(sums.insert(*sum).second) << *sum << " was answered twice";
    }
  }
  EXPECT_EQ(*sums.rbegin(), kAtOnce * kEach);
  EXPECT_EQ(get(*bucket, "n"), std::to_string(kAtOnce * kEach));
}

TEST_P(Conformance, an_increment_that_does_not_fit_spoils_none_beside_it) {
  auto bucket = open("b");
  ASSERT_EQ(wait(bucket->increment(request(), "n", kMost - 1)), kMost - 1);
  auto first = bucket->increment(request(), "n", 1);
  auto second = bucket->increment(request(), "n", 1);
  auto third = bucket->increment(request(), "n", -1);
  EXPECT_EQ(wait(std::move(first)), kMost);
  EXPECT_EQ(wait(std::move(second)).error().code(), Errc::kInvalid);
  EXPECT_EQ(wait(std::move(third)), kMost - 1);
}

TEST_P(Conformance, keys_that_look_like_something_else_are_keys) {
  auto bucket = open("b");
  std::vector<std::string> keys = {
      " ",   ".",    "..",        "../k", "./",       "/",          "//a", "*",     ">",
      "a.*", "a.>",  "a..b",      ".a",   "a.",       "=",          "=41", "%2F",   "_",
      "A",   "a\tb", "a\r\nPING", "\x7f", "k\u00e9y", "\U0001F600", "$KV", "weft/", "\"",
      "{}",  "a\\b", "a[b",       "a]b",  "[",        "\\"};
  for (auto& key : keys) set(*bucket, key, "of " + key);
  for (auto& key : keys) EXPECT_EQ(get(*bucket, key), "of " + key);
  std::ranges::sort(keys);
  EXPECT_EQ(keys_of(*bucket), keys);
  std::vector<std::string_view> all(keys.begin(), keys.end());
  ASSERT_TRUE(wait(bucket->erase_many(request(), all)).has_value());
  EXPECT_THAT(keys_of(*bucket), IsEmpty());
}

TEST_P(Conformance, a_swap_succeeds_on_what_the_snapshot_saw) {
  auto bucket = open("b");
  auto absent = wait(bucket->snapshot(request(), "k"));
  ASSERT_TRUE(absent.has_value());
  EXPECT_FALSE(absent->value.has_value());
  EXPECT_EQ(wait(bucket->swap(request(), "k", *absent, as_bytes("1")))->has_value(), false);
  EXPECT_EQ(get(*bucket, "k"), "1");
  auto one = wait(bucket->snapshot(request(), "k"));
  EXPECT_EQ(as_text(*one->value), "1");
  EXPECT_EQ(wait(bucket->swap(request(), "k", *one, as_bytes("2")))->has_value(), false);
  EXPECT_EQ(get(*bucket, "k"), "2");
}

TEST_P(Conformance, a_swap_that_lost_changes_nothing_and_answers_the_newest) {
  auto bucket = open("b");
  auto absent = wait(bucket->snapshot(request(), "k"));
  set(*bucket, "k", "1");
  auto newest = wait(bucket->swap(request(), "k", *absent, as_bytes("lost")));
  ASSERT_TRUE(newest.has_value() && newest->has_value());
  EXPECT_EQ(as_text(*(*newest)->value), "1");
  EXPECT_EQ(get(*bucket, "k"), "1");
  // The newest is a basis to try again from.
  EXPECT_EQ(wait(bucket->swap(request(), "k", **newest, as_bytes("2")))->has_value(), false);
  EXPECT_EQ(get(*bucket, "k"), "2");
  // Deleted meanwhile.
  auto two = wait(bucket->snapshot(request(), "k"));
  ASSERT_TRUE(wait(bucket->erase(request(), "k")).has_value());
  auto gone = wait(bucket->swap(request(), "k", *two, as_bytes("lost")));
  ASSERT_TRUE(gone.has_value() && gone->has_value());
  EXPECT_FALSE((*gone)->value.has_value());
  EXPECT_EQ(get(*bucket, "k"), "(none)");
  EXPECT_EQ(wait(bucket->swap(request(), "k", **gone, as_bytes("3")))->has_value(), false);
}

TEST_P(Conformance, a_swap_is_not_fooled_by_the_same_value_written_again) {
  auto bucket = open("b");
  set(*bucket, "k", "a");
  auto before = wait(bucket->snapshot(request(), "k"));
  set(*bucket, "k", "b");
  set(*bucket, "k", "a");
  EXPECT_TRUE(wait(bucket->swap(request(), "k", *before, as_bytes("c")))->has_value());
  ASSERT_TRUE(wait(bucket->erase(request(), "k")).has_value());
  set(*bucket, "k", "a");
  EXPECT_TRUE(wait(bucket->swap(request(), "k", *before, as_bytes("c")))->has_value());
  EXPECT_EQ(get(*bucket, "k"), "a");
}

TEST_P(Conformance, of_many_swaps_on_one_snapshot_one_wins) {
  auto bucket = open("b");
  auto basis = wait(bucket->snapshot(request(), "k"));
  std::vector<Answer<std::optional<Snapshot>>> answers;
  for (int i = 0; i < 20; ++i) {
    answers.push_back(bucket->swap(request(), "k", *basis, as_bytes(std::to_string(i))));
  }
  int won = 0;
  for (auto& answer : answers) won += wait(std::move(answer))->has_value() ? 0 : 1;
  EXPECT_EQ(won, 1);
}

TEST_P(Conformance, writes_of_one_loop_are_made_in_their_order) {
  auto bucket = open("b");
  std::vector<Answer<void>> answers;
  for (int i = 0; i < 200; ++i) {
    answers.push_back(bucket->set(request(), "k", as_bytes(std::to_string(i))));
  }
  for (auto& answer : answers) EXPECT_TRUE(wait(std::move(answer)).has_value());
  EXPECT_EQ(get(*bucket, "k"), "199");
}

TEST_P(Conformance, a_batch_read_has_one_entry_for_each_key_in_order) {
  auto bucket = open("b");
  set(*bucket, "a", "1");
  set(*bucket, "c", "");
  auto values = wait(bucket->get_many(request(), {"c", "b", "a", "a", "nothing"}));
  ASSERT_TRUE(values.has_value());
  EXPECT_THAT(*values,
              ElementsAre(Bytes(), std::nullopt, to_bytes("1"), to_bytes("1"), std::nullopt));
  EXPECT_THAT(*wait(bucket->get_many(request(), {})), IsEmpty());
}

TEST_P(Conformance, a_batch_write_keeps_the_last_of_one_key) {
  auto bucket = open("b");
  set(*bucket, "b", "old");
  auto done = wait(bucket->set_many(
      request(), {{"a", as_bytes("1")}, {"b", as_bytes("2")}, {"a", as_bytes("3")}}));
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(get(*bucket, "a"), "3");
  EXPECT_EQ(get(*bucket, "b"), "2");
  EXPECT_TRUE(wait(bucket->erase_many(request(), {"a", "absent", "a"})).has_value());
  EXPECT_THAT(keys_of(*bucket), ElementsAre("b"));
  EXPECT_TRUE(wait(bucket->set_many(request(), {})).has_value());
  EXPECT_TRUE(wait(bucket->erase_many(request(), {})).has_value());
}

TEST_P(Conformance, a_batch_beyond_a_bound_is_refused_whole) {
  auto bucket = open("b");
  std::string too_long(kKeyBytesMax + 1, 'k');
  EXPECT_EQ(wait(bucket->set_many(request(), {{"a", {}}, {too_long, {}}})).error().code(),
            Errc::kInvalid);
  std::vector<std::string_view> keys(kBatchKeysMax + 1, "k");
  EXPECT_EQ(wait(bucket->get_many(request(), keys)).error().code(), Errc::kInvalid);
  EXPECT_EQ(wait(bucket->erase_many(request(), keys)).error().code(), Errc::kInvalid);
  std::vector<Pair> pairs(kBatchKeysMax + 1, Pair("k", {}));
  EXPECT_EQ(wait(bucket->set_many(request(), pairs)).error().code(), Errc::kInvalid);
  EXPECT_THAT(keys_of(*bucket), IsEmpty());
}

TEST_P(Conformance, a_batch_read_of_too_many_bytes_is_refused) {
  auto bucket = open("b");
  Bytes value(GetParam().value_bytes_max);
  ASSERT_TRUE(wait(bucket->set(request(), "k", value)).has_value());
  std::vector<std::string_view> keys(kBatchBytesMax / value.size(), "k");
  auto all = wait(bucket->get_many(request(), keys));
  ASSERT_TRUE(all.has_value()) << all.error().message();
  EXPECT_EQ(all->size(), keys.size());
  keys.push_back("k");
  EXPECT_EQ(wait(bucket->get_many(request(), keys)).error().code(), Errc::kInvalid);
}

TEST_P(Conformance, a_write_past_its_deadline_changes_nothing) {
  auto bucket = open("b");
  set(*bucket, "k", "1");
  auto basis = *wait(bucket->snapshot(request(), "k"));
  Request late{loop_, Deadline::after(std::chrono::seconds(-1))};
  EXPECT_EQ(wait(bucket->set(late, "k", as_bytes("2"))).error().code(), Errc::kTimeout);
  EXPECT_EQ(wait(bucket->erase(late, "k")).error().code(), Errc::kTimeout);
  EXPECT_EQ(wait(bucket->increment(late, "k", 1)).error().code(), Errc::kTimeout);
  EXPECT_EQ(wait(bucket->swap(late, "k", basis, {})).error().code(), Errc::kTimeout);
  EXPECT_EQ(wait(bucket->set_many(late, {{"k", {}}})).error().code(), Errc::kTimeout);
  EXPECT_EQ(get(*bucket, "k"), "1");
}

TEST_P(Conformance, what_one_loop_was_told_is_written_another_loop_reads) {
  auto bucket = open("b");
  Loop other_loop;
  auto other_store = backend_->store(other_loop);
  auto other = open_in(*other_store, "b", "app");
  for (int i = 0; i < 50; ++i) {
    set(*bucket, "k", std::to_string(i));
    std::string seen;
    std::thread([&] {
      Request there{other_loop, request().deadline};
      auto value = await(other_loop, other->get(there, "k"));
      if (value && *value) seen = as_text(**value);
    }).join();
    ASSERT_EQ(seen, std::to_string(i));
  }
}

}  // namespace
}  // namespace weft::keyvalue
