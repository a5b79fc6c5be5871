// A watcher tells its component of each changed key with the value that is there by then; of one
// that failed again, and what it has not told when it stops the next one tells.
#include "capabilities/keyvalue/watcher.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/buffer.h"
#include "capabilities/capability.h"
#include "capabilities/keyvalue/backend.h"
#include "capabilities/keyvalue/testing.h"
#include "capabilities/keyvalue/watched_bucket.h"
#include "door/values.h"

namespace weft::keyvalue {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

// Plays the component: keeps what it is called with, and ends calls as it is told.
class Played final : public HandlerCalls {
 public:
  explicit Played(Loop& loop) : loop_(loop) {}

  void call(std::size_t ordinal, Arguments arguments, Replied, Ended ended) override {
    Buffer bytes;
    Writer out(bytes);
    arguments(out);
    ASSERT_TRUE(out.end().has_value());
    Reader in(bytes.view());
    auto key = in.read<std::string>();
    std::string text =
        ordinal == 0 ? fmt::format("{}={}", key, as_text(in.read<Bytes>())) : "-" + key;
    calls.push_back(text);
    ++running;
    most_running = std::max(most_running, running);
    auto end = [this, ended = std::move(ended), result = outcome]() mutable {
      --running;
      ended(std::move(result));
    };
    if (held != nullptr) {
      held->push_back(std::move(end));
    } else {
      loop_.post(std::move(end));
    }
  }

  Result<void> outcome;
  std::vector<std::move_only_function<void()>>* held = nullptr;
  std::vector<std::string> calls;
  int running = 0;
  int most_running = 0;

 private:
  Loop& loop_;
};

class WatcherTest : public ::testing::Test {
 protected:
  WatcherTest() : bucket_(*await(loop_, store().open(request(), {"app", "b"}))) {
    bucket_ = watched_bucket(std::move(bucket_), {"app", "b"}, hub_);
  }
  ~WatcherTest() override { watcher_.reset(); }

  Store& store() {
    if (store_ == nullptr) store_ = backend_->store(loop_);
    return *store_;
  }
  Request request() { return {loop_, Deadline::after(std::chrono::seconds(20))}; }
  void watch(std::string prefix = "", std::size_t at_once = 8) {
    auto next = std::make_unique<Watcher>(
        Waking{loop_, "app", "c", use_, offer_, settings_, calls_},
        Watcher::Options{"b", std::move(prefix), at_once,
                         [](Writer&, std::unique_ptr<Bucket> bucket) { CHECK(bucket != nullptr); }},
        backend_->store(loop_), hub_);
    if (watcher_ != nullptr) watcher_->stop();
    watcher_ = std::move(next);
  }
  void set(std::string_view key, std::string_view value) {
    ASSERT_TRUE(await(loop_, bucket_->set(request(), key, as_bytes(value))).has_value());
  }
  void erase(std::string_view key) {
    ASSERT_TRUE(await(loop_, bucket_->erase(request(), key)).has_value());
  }
  // Runs the loop until there are so many calls, and a little longer.
  void run_until(std::size_t calls) {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (calls_.calls.size() < calls && !limit.passed()) run_for(std::chrono::milliseconds(5));
    run_for(std::chrono::milliseconds(30));
  }
  void run_for(std::chrono::milliseconds time) {
    loop_.context().restart();
    loop_.context().run_for(time);
  }

  Loop loop_;
  WatchHub hub_;
  std::unique_ptr<Backend> backend_ = memory_backend();
  std::unique_ptr<Store> store_;
  Use use_;
  Offer offer_;
  TriggerSettings settings_;
  Played calls_{loop_};
  std::unique_ptr<Bucket> bucket_;
  std::unique_ptr<Watcher> watcher_;
};

TEST_F(WatcherTest, TellsEachChangeOfItsPrefix) {
  watch("a/");
  set("a/1", "one");
  run_until(1);
  set("b/1", "other");
  erase("a/1");
  run_until(2);
  EXPECT_THAT(calls_.calls, ElementsAre("a/1=one", "-a/1"));
}

TEST_F(WatcherTest, TellsOfEveryKindOfWrite) {
  watch();
  Bytes value = to_bytes("v");
  ASSERT_TRUE(await(loop_, bucket_->set_many(request(), {{"x", value}, {"y", value}})).has_value());
  ASSERT_TRUE(await(loop_, bucket_->increment(request(), "n", 2)).has_value());
  auto basis = await(loop_, bucket_->snapshot(request(), "z"));
  ASSERT_TRUE(await(loop_, bucket_->swap(request(), "z", *basis, value)).has_value());
  run_until(4);
  EXPECT_THAT(calls_.calls, UnorderedElementsAre("x=v", "y=v", "n=2", "z=v"));
  ASSERT_TRUE(await(loop_, bucket_->erase_many(request(), {"x", "y"})).has_value());
  run_until(6);
  EXPECT_THAT(calls_.calls, ::testing::IsSupersetOf({"-x", "-y"}));
}

TEST_F(WatcherTest, ChangesInQuickOrderComeToTheNewestAndOneCallAKeyAtATime) {
  std::vector<std::move_only_function<void()>> held;
  calls_.held = &held;
  watch();
  set("k", "1");
  run_until(1);
  for (int i = 2; i <= 9; ++i) set("k", std::to_string(i));
  run_for(std::chrono::milliseconds(50));
  EXPECT_EQ(calls_.calls.size(), 1U);
  held[0]();
  run_until(2);
  EXPECT_THAT(calls_.calls, ElementsAre("k=1", "k=9"));
  held[1]();
  run_for(std::chrono::milliseconds(30));
  EXPECT_TRUE(watcher_->idle());
}

TEST_F(WatcherTest, KeepsToItsConcurrency) {
  watch("", 2);
  for (int i = 0; i < 20; ++i) set(std::to_string(i), "v");
  run_until(20);
  EXPECT_EQ(calls_.calls.size(), 20U);
  EXPECT_EQ(calls_.most_running, 2);
}

TEST_F(WatcherTest, TellsOfAKeyBesideOthersThatChangeAllTheTime) {
  std::vector<std::move_only_function<void()>> held;
  calls_.held = &held;
  watch("", 1);
  set("a", "v");
  run_until(1);
  for (const char* key : {"b", "z"}) set(key, "v");
  for (std::size_t call = 0; call < 10; ++call) {
    for (const char* key : {"a", "b"}) set(key, "v");
    held[call]();
    run_until(call + 2);
  }
  EXPECT_THAT(calls_.calls, ::testing::Contains("z=v"));
}

TEST_F(WatcherTest, TriesAgainAndGivesUp) {
  watch();
  calls_.outcome = failure(Errc::kTrap, "unreachable");
  set("k", "v");
  run_until(kWatchAttempts);
  run_for(std::chrono::milliseconds(200));
  EXPECT_EQ(calls_.calls.size(), kWatchAttempts);
  // The next change is told as ever.
  calls_.outcome = {};
  set("k", "w");
  run_until(kWatchAttempts + 1);
  EXPECT_EQ(calls_.calls.back(), "k=w");
}

TEST_F(WatcherTest, HandsOverWhatItHasNotToldWhenItStops) {
  std::vector<std::move_only_function<void()>> held;
  calls_.held = &held;
  watch("", 1);
  set("a", "1");
  run_until(1);
  set("b", "2");
  run_for(std::chrono::milliseconds(20));
  calls_.held = nullptr;
  watch();
  run_until(2);
  EXPECT_THAT(calls_.calls, ElementsAre("a=1", "b=2"));
}

TEST_F(WatcherTest, NobodyIsToldOfAnotherBucketOrApp) {
  watch();
  hub_.changed("app", "other", "k");
  hub_.changed("another", "b", "k");
  run_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(calls_.calls.empty());
}

}  // namespace
}  // namespace weft::keyvalue
