// Shows that a driver does what container.h promises: runs each operation against a fresh backend.
#include "capabilities/blobstore/conformance.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <set>
#include <thread>

#include "io/timer.h"

namespace weft::blobstore {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::unique_ptr<Container> Hand::create(std::string name, std::string owner) {
  auto made = wait(store_->create(request(), {owner, name}));
  EXPECT_TRUE(made.has_value()) << made.error().message();
  return open(std::move(name), std::move(owner));
}

std::unique_ptr<Container> Hand::open(std::string name, std::string owner) {
  auto container = wait(store_->open(request(), {std::move(owner), std::move(name)}));
  CHECK(container.has_value());
  return *std::move(container);
}

void Hand::put(Container& container, std::string name, std::string_view text) {
  auto writer = wait(container.write(request(), std::move(name)));
  ASSERT_TRUE(writer.has_value()) << writer.error().message();
  while (!text.empty()) {
    auto part = text.substr(0, kPartBytesMax);
    auto written = wait((*writer)->write(request(), to_bytes(part)));
    ASSERT_TRUE(written.has_value()) << written.error().message();
    text.remove_prefix(part.size());
  }
  auto done = wait((*writer)->commit(request()));
  ASSERT_TRUE(done.has_value()) << done.error().message();
}

void Hand::put_all(Container& container, const std::vector<std::string>& names) {
  auto put_one = [](Container* into, Request request, std::string name) -> Task<void> {
    CO_TRY(auto writer, co_await into->write(request, std::move(name)));
    co_return co_await writer->commit(request);
  };
  constexpr std::size_t kAtOnce = 64;
  std::size_t begun = 0, ended = 0, failed = 0;
  std::function<void()> next = [&] {
    if (begun == names.size()) return;
    loop_.spawn(put_one(&container, request(), names[begun++]), [&](Result<void> outcome) {
      failed += outcome ? 0 : 1;
      if (++ended == names.size()) loop_.stop();
      next();
    });
  };
  loop_.context().restart();
  for (std::size_t i = 0; i < kAtOnce; ++i) next();
  Timer patience(loop_, [&] { loop_.stop(); });
  patience.arm(Deadline::after(std::chrono::seconds(60)));
  loop_.run();
  CHECK(ended == names.size());
  EXPECT_EQ(failed, 0u);
}

std::string Hand::rest(ObjectReader& reader) {
  std::string text;
  for (;;) {
    auto part = wait(reader.read(request()));
    if (!part) return code_of(part);
    if (part->empty()) return text;
    EXPECT_LE(part->size(), kPartBytesMax);
    text += as_text(*part);
  }
}

std::string Hand::get(Container& container, std::string name, Range range) {
  auto reader = wait(container.read(request(), std::move(name), range));
  if (!reader) return code_of(reader);
  std::string text = rest(**reader);
  EXPECT_EQ(text.size(), (*reader)->size());
  return text;
}

std::vector<std::string> Hand::names(Container& container) {
  std::vector<std::string> names;
  for (;;) {
    auto page = wait(container.list(request(), names.empty() ? "" : names.back()));
    if (!page) return {code_of(page)};
    names.insert(names.end(), page->names.begin(), page->names.end());
    if (!page->more) return names;
  }
}

namespace {

std::uint64_t seconds_now() {
  auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(since).count());
}

std::string pattern(std::size_t size, unsigned seed) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 251 + seed);
  return text;
}

Task<void> create_or_open(Store& store, Request request, ContainerName name) {
  auto made = co_await store.create(request, name);
  if (!made && made.error().code() != Errc::kConflict) co_return made;
  CO_TRY_VOID(co_await store.open(request, std::move(name)));
  co_return Result<void>();
}

// As components do that find no container when they first run, many of them at once.
TEST_P(Conformance, a_container_that_is_said_to_be_there_can_be_opened) {
  int left = 3;
  for (int i = 0; i < 3; ++i) {
    hand().loop().spawn(create_or_open(hand().store(), hand().request(), {"app", "new"}),
                        [&](Result<void> opened) {
                          EXPECT_EQ(code_of(opened), "(ok)");
                          --left;
                        });
  }
  Deadline limit = Deadline::after(std::chrono::seconds(60));
  while (left > 0 && !limit.passed()) {
    hand().wait(hand().store().exists(hand().request(), {"app", "x"}));
  }
  EXPECT_EQ(left, 0);
}

TEST_P(Conformance, an_absent_object_is_said_to_be_absent) {
  auto c = hand().create("c");
  EXPECT_EQ(hand().get(*c, "o"), "(not-found)");
  auto found = hand().wait(c->find(hand().request(), "o"));
  ASSERT_TRUE(found.has_value());
  EXPECT_FALSE(found->has_value());
  EXPECT_TRUE(hand().wait(c->erase(hand().request(), {"o"})).has_value());
  EXPECT_THAT(hand().names(*c), IsEmpty());
}

TEST_P(Conformance, what_was_written_is_there_until_it_is_deleted) {
  auto c = hand().create("c");
  std::string large = pattern(1'000'003, 7);
  hand().put(*c, "o", "one");
  hand().put(*c, "empty", "");
  hand().put(*c, "large", large);
  EXPECT_EQ(hand().get(*c, "o"), "one");
  EXPECT_EQ(hand().get(*c, "empty"), "");
  EXPECT_TRUE(hand().get(*c, "large") == large);
  hand().put(*c, "o", "two, and longer");
  EXPECT_EQ(hand().get(*c, "o"), "two, and longer");
  EXPECT_THAT(hand().names(*c), ElementsAre("empty", "large", "o"));
  EXPECT_TRUE(hand().wait(c->erase(hand().request(), {"o", "large", "absent"})).has_value());
  EXPECT_EQ(hand().get(*c, "o"), "(not-found)");
  EXPECT_THAT(hand().names(*c), ElementsAre("empty"));
}

TEST_P(Conformance, a_range_has_both_ends_and_is_cut_at_the_end) {
  auto c = hand().create("c");
  std::string text = pattern(200'000, 1);
  hand().put(*c, "o", text);
  struct Case {
    Range range;
    std::size_t at, size;
  };
  for (Case each : {Case{{0, UINT64_MAX}, 0, 200'000}, Case{{0, 0}, 0, 1}, Case{{5, 9}, 5, 5},
                    Case{{199'999, 199'999}, 199'999, 1}, Case{{199'990, 300'000}, 199'990, 10},
                    Case{{65'535, 131'072}, 65'535, 65'538}, Case{{200'000, 200'000}, 0, 0},
                    Case{{UINT64_MAX, UINT64_MAX}, 0, 0}, Case{{9, 5}, 0, 0}}) {
    EXPECT_TRUE(hand().get(*c, "o", each.range) == text.substr(each.at, each.size))
        << each.range.first << " to " << each.range.last;
  }
  hand().put(*c, "empty", "");
  EXPECT_EQ(hand().get(*c, "empty", {0, 0}), "");
}

std::vector<std::string> odd_names() {
  std::vector<std::string> names = {"..",
                                    ".",
                                    "../../etc/passwd",
                                    "/absolute",
                                    "a/b",
                                    "a%2Fb",
                                    "a//b",
                                    ".container",
                                    ".draft-0",
                                    "~",
                                    std::string("nul\0inside", 10),
                                    std::string("\0", 1),
                                    "line\nbreak",
                                    " ",
                                    "\xf0\x9f\x92\xbe\xe2\x98\x83",
                                    "A",
                                    "a",
                                    "%",
                                    "a.name",
                                    "CON",
                                    "\x7f"};
  for (std::size_t size : {79, 80, 81, 239, 240, 241, 255, 256, 1023, 1024}) {
    names.push_back(std::string(size, 'l'));
    names.push_back(std::string(size - 1, '/') + "x");
  }
  // Differ only in the last byte, behind what any file's name may hold.
  names.push_back(std::string(1023, 'z') + "1");
  names.push_back(std::string(1023, 'z') + "2");
  // What the file of another long name could be called.
  names.push_back("~" + std::string(64, 'a'));
  return names;
}

TEST_P(Conformance, names_may_hold_any_bytes_up_to_the_bound) {
  auto c = hand().create("c");
  auto names = odd_names();
  for (auto& name : names) hand().put(*c, name, "object " + name);
  for (auto& name : names) EXPECT_TRUE(hand().get(*c, name) == "object " + name) << shown(name);
  std::ranges::sort(names);
  EXPECT_EQ(hand().names(*c), names);
  for (auto& name : names) {
    EXPECT_TRUE(hand().wait(c->erase(hand().request(), {name})).has_value()) << shown(name);
    EXPECT_EQ(hand().get(*c, name), "(not-found)") << shown(name);
  }
  EXPECT_THAT(hand().names(*c), IsEmpty());
}

TEST_P(Conformance, names_beyond_the_bounds_are_refused_everywhere) {
  auto c = hand().create("c");
  hand().put(*c, "o", "x");
  for (const std::string& name :
       {std::string(), std::string(1025, 'n'), std::string(100'000, 'n')}) {
    EXPECT_EQ(code_of(hand().wait(c->write(hand().request(), name))), "(invalid)");
    EXPECT_EQ(code_of(hand().wait(c->read(hand().request(), name, {}))), "(invalid)");
    EXPECT_EQ(code_of(hand().wait(c->find(hand().request(), name))), "(invalid)");
    EXPECT_EQ(code_of(hand().wait(c->erase(hand().request(), {"o", name}))), "(invalid)");
    ObjectId there{{"app", "c"}, "o"}, bad{{"app", "c"}, name};
    EXPECT_EQ(code_of(hand().wait(hand().store().copy(hand().request(), there, bad))), "(invalid)");
    EXPECT_EQ(code_of(hand().wait(hand().store().move(hand().request(), there, bad))), "(invalid)");
    EXPECT_EQ(code_of(hand().wait(hand().store().move(hand().request(), bad, there))), "(invalid)");
  }
  EXPECT_EQ(hand().get(*c, "o"), "x");
  std::vector<std::string> many(kEraseNamesMax + 1, "o");
  EXPECT_EQ(code_of(hand().wait(c->erase(hand().request(), many))), "(invalid)");
  EXPECT_EQ(hand().get(*c, "o"), "x");
  for (const std::string& name : {std::string(), std::string(kContainerNameBytesMax + 1, 'n')}) {
    auto request = hand().request();
    EXPECT_EQ(code_of(hand().wait(hand().store().create(request, {"app", name}))), "(invalid)");
    EXPECT_EQ(code_of(hand().wait(hand().store().open(request, {"app", name}))), "(invalid)");
    EXPECT_EQ(code_of(hand().wait(hand().store().exists(request, {"app", name}))), "(invalid)");
    EXPECT_EQ(code_of(hand().wait(hand().store().remove(request, {"app", name}))), "(invalid)");
  }
}

TEST_P(Conformance, what_is_read_stays_what_it_was) {
  auto c = hand().create("c");
  std::string old = pattern(300'000, 3);
  for (std::string name : {"replaced", "erased", "moved", "left"}) hand().put(*c, name, old);
  std::vector<std::unique_ptr<ObjectReader>> readers;
  std::vector<std::size_t> read;
  for (std::string name : {"replaced", "erased", "moved", "left"}) {
    auto reader = hand().wait(c->read(hand().request(), name, {}));
    ASSERT_TRUE(reader.has_value());
    auto part = hand().wait((*reader)->read(hand().request()));
    ASSERT_TRUE(part.has_value());
    read.push_back(part->size());
    readers.push_back(*std::move(reader));
  }
  hand().put(*c, "replaced", "new");
  ASSERT_TRUE(hand().wait(c->erase(hand().request(), {"erased"})).has_value());
  ObjectId from{{"app", "c"}, "moved"}, to{{"app", "c"}, "elsewhere"};
  ASSERT_TRUE(hand().wait(hand().store().move(hand().request(), from, to)).has_value());
  EXPECT_EQ(hand().get(*c, "replaced"), "new");
  ASSERT_TRUE(hand().wait(hand().store().remove(hand().request(), {"app", "c"})).has_value());
  for (std::size_t i = 0; i < readers.size(); ++i) {
    EXPECT_TRUE(hand().rest(*readers[i]) == old.substr(read[i]));
    EXPECT_EQ(readers[i]->size(), old.size());
  }
}

TEST_P(Conformance, an_object_that_was_not_finished_never_was) {
  auto c = hand().create("c");
  hand().put(*c, "old", "old");
  for (std::string name : {"new", "old"}) {
    auto writer = hand().wait(c->write(hand().request(), name));
    ASSERT_TRUE(writer.has_value());
    ASSERT_TRUE(
        hand().wait((*writer)->write(hand().request(), to_bytes(pattern(50'000, 1)))).has_value());
    EXPECT_THAT(hand().names(*c), ElementsAre("old"));
    EXPECT_EQ(hand().get(*c, "new"), "(not-found)");
    EXPECT_EQ(hand().get(*c, "old"), "old");
  }
  EXPECT_THAT(hand().names(*c), ElementsAre("old"));
  EXPECT_EQ(hand().get(*c, "old"), "old");
}

TEST_P(Conformance, of_two_writers_the_last_to_finish_stays) {
  auto c = hand().create("c");
  auto first = *hand().wait(c->write(hand().request(), "o"));
  auto second = *hand().wait(c->write(hand().request(), "o"));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(hand().wait(first->write(hand().request(), to_bytes("first "))).has_value());
    ASSERT_TRUE(hand().wait(second->write(hand().request(), to_bytes("second "))).has_value());
  }
  ASSERT_TRUE(hand().wait(second->commit(hand().request())).has_value());
  EXPECT_THAT(hand().get(*c, "o"), HasSubstr("second second"));
  ASSERT_TRUE(hand().wait(first->commit(hand().request())).has_value());
  EXPECT_EQ(hand().get(*c, "o"), "first first first first first first first first first first ");
}

TEST_P(Conformance, readers_on_other_loops_see_one_whole_object) {
  hand().create("c");
  constexpr std::size_t kBytes = 150'000;
  auto c = hand().open("c");
  hand().put(*c, "o", std::string(kBytes, 'a'));
  std::atomic<bool> done = false;
  std::array<std::string, 2> wrong;
  std::vector<std::thread> threads;
  for (std::string& mine_wrong : wrong) {
    threads.emplace_back([&] {
      Hand mine(*backend_);
      auto container = mine.open("c");
      while (!done && mine_wrong.empty()) {
        std::string text = mine.get(*container, "o");
        if (text == std::string(kBytes, text[0])) continue;
        if (GetParam().misses_what_is_replaced && text == "(not-found)") continue;
        mine_wrong = fmt::format("{} bytes: {:.200}", text.size(), text);
      }
    });
  }
  threads.emplace_back([&] {
    Hand mine(*backend_);
    auto container = mine.open("c");
    for (int i = 0; i < 30; ++i) mine.put(*container, "o", std::string(kBytes, 'b'));
  });
  for (int i = 0; i < 30; ++i) hand().put(*c, "o", std::string(kBytes, 'c'));
  threads.back().join();
  threads.pop_back();
  done = true;
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(wrong, Each(IsEmpty()));
}

TEST_P(Conformance, what_one_loop_was_told_is_written_another_loop_reads) {
  auto c = hand().create("c");
  Hand other(*backend_);
  auto same = other.open("c");
  for (int i = 0; i < 20; ++i) {
    hand().put(*c, "o", std::to_string(i));
    std::string seen;
    std::thread([&] { seen = other.get(*same, "o"); }).join();
    ASSERT_EQ(seen, std::to_string(i));
  }
}

TEST_P(Conformance, a_list_is_in_byte_order_and_in_pages) {
  auto c = hand().create("c");
  auto neighbour = hand().create("c2");
  hand().put(*neighbour, "other", "x");
  std::vector<std::string> names;
  // More than a page: long ones, and short ones between them.
  for (int i = 0; i < 300; ++i)
    names.push_back(fmt::format("{}/{}", i * 7919 % 300, std::string(980, 'x')));
  for (int i = 0; i < 50; ++i) names.push_back(fmt::format("{}", i));
  hand().put_all(*c, names);
  std::ranges::sort(names);
  auto page = hand().wait(c->list(hand().request(), ""));
  ASSERT_TRUE(page.has_value());
  EXPECT_TRUE(page->more);
  EXPECT_LT(page->names.size(), names.size());
  EXPECT_EQ(hand().names(*c), names);
  auto from = hand().wait(c->list(hand().request(), names[300]));
  ASSERT_TRUE(from.has_value());
  EXPECT_EQ(from->names, std::vector(names.begin() + 301, names.end()));
  EXPECT_FALSE(from->more);
  // Between the pages: the last name itself goes, others come before and behind it.
  std::string last = page->names.back();
  ASSERT_TRUE(hand().wait(c->erase(hand().request(), {last, names.back()})).has_value());
  hand().put(*c, "!before", "");
  hand().put(*c, "~behind", "");
  std::vector<std::string> seen = page->names;
  auto second = hand().wait(c->list(hand().request(), last));
  ASSERT_TRUE(second.has_value());
  seen.insert(seen.end(), second->names.begin(), second->names.end());
  EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), seen.size()) << "a name came twice";
  names.back() = "~behind";
  EXPECT_EQ(seen, names);
}

TEST_P(Conformance, copies_and_moves_replace_what_is_there) {
  auto a = hand().create("a");
  auto b = hand().create("b");
  auto& store = hand().store();
  std::string text = pattern(200'000, 9);
  std::string long_name(1000, 'l');
  auto at = [](std::string container, std::string object) {
    return ObjectId{{"app", std::move(container)}, std::move(object)};
  };
  hand().put(*a, "o", text);
  hand().put(*b, "o", "old");
  ASSERT_TRUE(hand().wait(store.copy(hand().request(), at("a", "o"), at("b", "o"))).has_value());
  EXPECT_TRUE(hand().get(*b, "o") == text);
  EXPECT_TRUE(hand().get(*a, "o") == text);
  // A copy is an object of its own.
  hand().put(*a, "o", "changed");
  EXPECT_TRUE(hand().get(*b, "o") == text);
  ASSERT_TRUE(
      hand().wait(store.move(hand().request(), at("b", "o"), at("a", long_name))).has_value());
  EXPECT_THAT(hand().names(*b), IsEmpty());
  EXPECT_TRUE(hand().get(*a, long_name) == text);
  ASSERT_TRUE(
      hand().wait(store.move(hand().request(), at("a", long_name), at("a", "o"))).has_value());
  EXPECT_THAT(hand().names(*a), ElementsAre("o"));
  EXPECT_TRUE(hand().get(*a, "o") == text);
  // Onto itself.
  EXPECT_TRUE(hand().wait(store.copy(hand().request(), at("a", "o"), at("a", "o"))).has_value());
  EXPECT_TRUE(hand().wait(store.move(hand().request(), at("a", "o"), at("a", "o"))).has_value());
  EXPECT_TRUE(hand().get(*a, "o") == text);
}

TEST_P(Conformance, copies_and_moves_of_what_is_not_there_change_nothing) {
  auto a = hand().create("a");
  auto& store = hand().store();
  auto request = hand().request();
  ObjectId there{{"app", "a"}, "o"}, absent{{"app", "a"}, "absent"}, nowhere{{"app", "no"}, "o"};
  hand().put(*a, "o", "x");
  EXPECT_EQ(code_of(hand().wait(store.copy(request, absent, there))), "(not-found)");
  EXPECT_EQ(code_of(hand().wait(store.move(request, absent, there))), "(not-found)");
  EXPECT_EQ(code_of(hand().wait(store.copy(request, absent, absent))), "(not-found)");
  EXPECT_EQ(code_of(hand().wait(store.move(request, absent, absent))), "(not-found)");
  EXPECT_EQ(code_of(hand().wait(store.copy(request, there, nowhere))), "(not-found)");
  EXPECT_EQ(code_of(hand().wait(store.move(request, there, nowhere))), "(not-found)");
  EXPECT_EQ(code_of(hand().wait(store.copy(request, nowhere, there))), "(not-found)");
  EXPECT_EQ(hand().get(*a, "o"), "x");
  EXPECT_THAT(hand().names(*a), ElementsAre("o"));
}

TEST_P(Conformance, containers_are_made_once_and_deleted_with_their_objects) {
  auto& store = hand().store();
  auto request = hand().request();
  ContainerName name{"app", "c"};
  EXPECT_FALSE(*hand().wait(store.exists(request, name)));
  EXPECT_EQ(code_of(hand().wait(store.open(request, name))), "(not-found)");
  EXPECT_EQ(code_of(hand().wait(store.remove(request, name))), "(not-found)");
  auto c = hand().create("c");
  EXPECT_TRUE(*hand().wait(store.exists(request, name)));
  hand().put(*c, "o", "x");
  EXPECT_EQ(code_of(hand().wait(store.create(request, name))), "(conflict)");
  EXPECT_EQ(hand().get(*c, "o"), "x");
  EXPECT_TRUE(hand().wait(store.remove(request, name)).has_value());
  EXPECT_FALSE(*hand().wait(store.exists(request, name)));
  EXPECT_EQ(code_of(hand().wait(store.open(request, name))), "(not-found)");
  auto again = hand().create("c");
  EXPECT_THAT(hand().names(*again), IsEmpty());
}

TEST_P(Conformance, nothing_goes_into_a_container_that_is_gone) {
  auto c = hand().create("c");
  hand().put(*c, "o", "x");
  auto writer = *hand().wait(c->write(hand().request(), "half"));
  auto request = hand().request();
  ASSERT_TRUE(hand().wait(hand().store().remove(request, {"app", "c"})).has_value());
  EXPECT_EQ(code_of(hand().wait(c->info(request))), "(not-found)");
  EXPECT_EQ(code_of(hand().wait(c->list(request, ""))), "(not-found)");
  EXPECT_EQ(code_of(hand().wait(c->find(request, "o"))), "(not-found)");
  EXPECT_EQ(code_of(hand().wait(c->read(request, "o", {}))), "(not-found)");
  EXPECT_EQ(code_of(hand().wait(c->write(request, "o"))), "(not-found)");
  EXPECT_EQ(code_of(hand().wait(c->erase(request, {"o"}))), "(not-found)");
  EXPECT_EQ(code_of(hand().wait(c->clear(request))), "(not-found)");
  // One that takes its name does not get what was begun in the old one.
  auto again = hand().create("c");
  EXPECT_EQ(code_of(hand().wait(writer->commit(request))), "(not-found)");
  EXPECT_THAT(hand().names(*again), IsEmpty());
  hand().put(*c, "o", "again");
  EXPECT_EQ(hand().get(*again, "o"), "again");
}

TEST_P(Conformance, of_many_that_make_one_container_one_succeeds) {
  std::atomic<int> made = 0;
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      Hand mine(*backend_);
      auto outcome = mine.wait(mine.store().create(mine.request(), {"app", "c"}));
      if (outcome) ++made;
      if (!outcome && outcome.error().code() == Errc::kConflict) ++refused;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(refused, 3);
}

TEST_P(Conformance, containers_and_owners_do_not_see_each_other) {
  struct Place {
    std::string owner, name;
  };
  std::string longest(kContainerNameBytesMax, '/');
  std::vector<Place> places = {{"a", "bc"},        {"ab", "c"},
                               {"a,b", "c"},       {"a", "b,c"},
                               {"", "abc"},        {"..", ".."},
                               {"a", "B"},         {"a", "b"},
                               {longest, longest}, {longest, longest.substr(1) + "x"}};
  std::vector<std::unique_ptr<Container>> containers;
  for (auto& place : places) containers.push_back(hand().create(place.name, place.owner));
  for (std::size_t i = 0; i < places.size(); ++i) {
    hand().put(*containers[i], "o", std::to_string(i));
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    EXPECT_EQ(hand().get(*containers[i], "o"), std::to_string(i));
    EXPECT_THAT(hand().names(*containers[i]), ElementsAre("o"));
  }
}

TEST_P(Conformance, a_cleared_container_stays_and_is_empty) {
  auto c = hand().create("c");
  auto neighbour = hand().create("d");
  hand().put(*neighbour, "o", "x");
  for (auto& name : odd_names()) hand().put(*c, name, "x");
  auto writer = *hand().wait(c->write(hand().request(), "begun before"));
  ASSERT_TRUE(hand().wait(c->clear(hand().request())).has_value());
  EXPECT_THAT(hand().names(*c), IsEmpty());
  EXPECT_TRUE(hand().wait(writer->commit(hand().request())).has_value());
  EXPECT_THAT(hand().names(*c), ElementsAre("begun before"));
  EXPECT_EQ(hand().get(*neighbour, "o"), "x");
}

TEST_P(Conformance, a_change_past_its_deadline_changes_nothing) {
  auto c = hand().create("c");
  auto& store = hand().store();
  hand().put(*c, "o", "x");
  auto writer = *hand().wait(c->write(hand().request(), "o"));
  auto late = hand().late();
  ObjectId from{{"app", "c"}, "o"}, to{{"app", "c"}, "to"};
  EXPECT_EQ(code_of(hand().wait(writer->commit(late))), "(timeout)");
  EXPECT_EQ(code_of(hand().wait(c->erase(late, {"o"}))), "(timeout)");
  EXPECT_EQ(code_of(hand().wait(c->clear(late))), "(timeout)");
  EXPECT_EQ(code_of(hand().wait(store.copy(late, from, to))), "(timeout)");
  EXPECT_EQ(code_of(hand().wait(store.move(late, from, to))), "(timeout)");
  EXPECT_EQ(code_of(hand().wait(store.create(late, {"app", "d"}))), "(timeout)");
  EXPECT_EQ(code_of(hand().wait(store.remove(late, {"app", "c"}))), "(timeout)");
  EXPECT_FALSE(*hand().wait(store.exists(hand().request(), {"app", "d"})));
  EXPECT_THAT(hand().names(*c), ElementsAre("o"));
  EXPECT_EQ(hand().get(*c, "o"), "x");
}

TEST_P(Conformance, sizes_and_times_are_those_of_the_last_write) {
  std::uint64_t before = seconds_now();
  auto c = hand().create("c");
  auto info = hand().wait(c->info(hand().request()));
  ASSERT_TRUE(info.has_value());
  hand().put(*c, "o", "12345");
  auto found = hand().wait(c->find(hand().request(), "o"));
  ASSERT_TRUE(found.has_value() && found->has_value());
  std::uint64_t after = seconds_now();
  EXPECT_EQ((*found)->size, 5u);
  for (std::uint64_t time : {info->created_at, (*found)->created_at}) {
    // Files have their time from a clock of the kernel's that is some milliseconds behind.
    EXPECT_GE(time + 1, before);
    EXPECT_LE(time, after);
  }
  hand().put(*c, "o", "12");
  found = hand().wait(c->find(hand().request(), "o"));
  EXPECT_EQ((*found)->size, 2u);
}

}  // namespace
}  // namespace weft::blobstore
