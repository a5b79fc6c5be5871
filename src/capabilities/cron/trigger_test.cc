// Shows when a schedule's component is called under a calendar that the test sets: once each time
// among hosts that share a store, with tokens that grow, and how overlap, missed and failed runs
// go, and runs by hand.
#include "capabilities/cron/trigger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>

#include "base/buffer.h"
#include "capabilities/capability.h"
#include "capabilities/cron/cron.h"
#include "capabilities/cron/run_now.h"
#include "capabilities/keyvalue/backend.h"
#include "capabilities/lock/drivers/table.h"
#include "door/values.h"
#include "io/loop.h"
#include "io/timer.h"
#include "observe/meters.h"
#include "wit/weft/cron_0_1_0/types.h"

namespace weft::cron {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::weft::wit::weft::cron_0_1_0::types::Occurrence;

const sys_seconds kNoon = sys_seconds(1'795'694'400s);

// Plays the component: keeps its runs, and ends them as it is told.
class Played final : public HandlerCalls {
 public:
  explicit Played(Loop& loop) : loop_(loop) {}

  void call(std::size_t, Arguments arguments, Replied replied, Ended ended) override {
    Buffer bytes;
    Writer out(bytes);
    arguments(out);
    Reader in(bytes.view());
    runs.push_back(in.read<Occurrence>());
    auto end = [this, replied = std::move(replied), ended = std::move(ended)]() mutable {
      Result<void> result = std::exchange(outcome, {});
      if (full) result = failure(Errc::kUnavailable, "no instance is free");
      if (result) {
        Buffer reply;
        Writer written(reply);
        written.write(std::expected<void, std::string>(returned));
        Reader read(reply.view());
        replied(read);
      }
      ended(std::move(result));
    };
    if (hold) {
      held.push_back(std::move(end));
    } else {
      loop_.post(std::move(end));
    }
  }
  std::vector<sys_seconds> due() const {
    std::vector<sys_seconds> all;
    for (const Occurrence& each : runs) all.emplace_back(seconds(each.due));
    return all;
  }

  bool hold = false;
  bool full = false;     // There is no room.
  Result<void> outcome;  // Of the next call.
  std::expected<void, std::string> returned;
  std::vector<std::move_only_function<void()>> held;
  std::vector<Occurrence> runs;

 private:
  Loop& loop_;
};

// Records that cannot be asked while they are away.
class Flaky final : public keyvalue::Backend {
 public:
  explicit Flaky(bool& away) : away_(away) {}
  Result<void> open() override { return records_->open(); }
  std::unique_ptr<keyvalue::Store> store(Loop& loop) override {
    return std::make_unique<Opened>(records_->store(loop), away_);
  }

 private:
  struct Opened final : keyvalue::Store {
    Opened(std::unique_ptr<keyvalue::Store> of, const bool& gone)
        : store(std::move(of)), away(gone) {}
    Answer<std::unique_ptr<keyvalue::Bucket>> open(keyvalue::Request request,
                                                   keyvalue::BucketName name) override {
      if (away) return Error(Errc::kUnavailable, "the store is away");
      return store->open(request, name);
    }
    std::unique_ptr<keyvalue::Store> store;
    const bool& away;
  };

  std::unique_ptr<keyvalue::Backend> records_ = keyvalue::memory_backend();
  bool& away_;
};

class CronTriggers : public ::testing::Test {
 protected:
  CronTriggers() { begin_anew(); }

  // With a store in which nothing is.
  void begin_anew() {
    backend_ = std::make_unique<Backend>(lock::memory_backend(), std::make_unique<Flaky>(away_));
    CHECK(backend_->open().has_value());
  }

  // A host that looks after the hourly schedule.
  std::unique_ptr<CronTrigger> host(TriggerOptions options = {}) {
    auto made = std::make_unique<CronTrigger>(waking_, hourly(std::move(options)),
                                              backend_->keeping(loop_, "app"));
    made->look();
    settle(*made);
    return made;
  }
  // A run of it by hand, which says what became of it.
  std::unique_ptr<OperatorWork> by_hand(std::optional<Result<std::string>>& said) {
    return run_now(waking_, hourly({}), backend_->keeping(loop_, "app"),
                   {[](const std::string&) { return true; },
                    [&said](Result<std::string> outcome) { said = std::move(outcome); }});
  }
  TriggerOptions hourly(TriggerOptions options) {
    options.text = "0 * * * *";
    options.schedule = *Schedule::parse(options.text);
    options.now = [this] { return now_; };
    return options;
  }
  // Runs the loop until nothing is under way.
  void settle(CronTrigger& trigger) {
    Deadline limit = Deadline::after(20s);
    do {
      run_for(15ms);
    } while (!trigger.idle() && calls_.held.empty() && !limit.passed());
  }
  void run_for(std::chrono::milliseconds time) {
    Timer end(loop_, [this] { loop_.stop(); });
    end.arm(Deadline::after(time));
    loop_.context().restart();
    loop_.run();
  }
  // Runs the loop until there have been so many runs, and so many of them are held.
  void run_until(std::size_t runs, std::size_t held) {
    Deadline limit = Deadline::after(20s);
    while ((calls_.runs.size() < runs || calls_.held.size() < held) && !limit.passed()) {
      run_for(10ms);
    }
  }
  void go_to(sys_seconds when, CronTrigger& trigger) {
    now_ = when;
    trigger.look();
    settle(trigger);
  }

  Loop loop_;
  sys_seconds now_ = kNoon - 30min;
  bool away_ = false;
  std::unique_ptr<Backend> backend_;
  Use use_;
  Offer offer_;
  TriggerSettings settings_;
  Played calls_{loop_};
  TriggerMeter meter_;
  const Waking waking_{loop_, "app", "component", use_, offer_, settings_, calls_, &meter_};
};

TEST_F(CronTriggers, RunEachTimeOnce) {
  auto trigger = host();
  EXPECT_THAT(calls_.runs, IsEmpty());
  go_to(kNoon - 1s, *trigger);
  EXPECT_THAT(calls_.runs, IsEmpty());
  go_to(kNoon, *trigger);
  EXPECT_THAT(calls_.due(), ElementsAre(kNoon));
  EXPECT_EQ(calls_.runs[0].schedule, "0 * * * *");
  go_to(kNoon + 1s, *trigger);
  go_to(kNoon + 59min, *trigger);
  EXPECT_EQ(calls_.runs.size(), 1U);
  go_to(kNoon + 1h + 2s, *trigger);
  EXPECT_THAT(calls_.due(), ElementsAre(kNoon, kNoon + 1h));
  EXPECT_GT(calls_.runs[1].token, calls_.runs[0].token);
  // A calendar that is set back has nothing run again.
  go_to(kNoon, *trigger);
  go_to(kNoon + 1h, *trigger);
  EXPECT_EQ(calls_.runs.size(), 2U);
}

TEST_F(CronTriggers, RunOnceAmongHosts) {
  auto one = host();
  auto other = host();
  for (int i = 0; i < 4; ++i) {
    now_ = kNoon + i * 1h;
    one->look();
    other->look();
    settle(*one);
    settle(*other);
    // The one that did not get it learns that it is done.
    other->look();
    settle(*other);
  }
  EXPECT_THAT(calls_.due(), ElementsAre(kNoon, kNoon + 1h, kNoon + 2h, kNoon + 3h));
  for (std::size_t i = 1; i < calls_.runs.size(); ++i) {
    EXPECT_GT(calls_.runs[i].token, calls_.runs[i - 1].token);
  }
}

TEST_F(CronTriggers, AreMadeUpForAsTheySay) {
  for (auto [missed, due] : {std::pair{Missed::kSkip, std::vector<sys_seconds>{}},
                             {Missed::kOnce, {kNoon + 2h}},
                             {Missed::kAll, {kNoon, kNoon + 1h, kNoon + 2h}}}) {
    begin_anew();
    now_ = kNoon - 30min;
    calls_.runs.clear();
    host({.missed = missed}).reset();
    // Nobody is there for some hours.
    now_ = kNoon + 2h + 30min;
    ::testing::internal::CaptureStderr();
    auto trigger = host({.missed = missed});
    // What is left out is told.
    std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(said.contains("is left out"), missed == Missed::kSkip) << said;
    EXPECT_EQ(calls_.due(), due);
    go_to(now_ + 1s, *trigger);
    EXPECT_EQ(calls_.due(), due);
    go_to(kNoon + 3h, *trigger);
    EXPECT_EQ(calls_.due().back(), kNoon + 3h);
  }
}

TEST_F(CronTriggers, WaitForARunThatGoesOn) {
  calls_.hold = true;
  auto one = host();
  auto other = host();
  go_to(kNoon, *one);
  ASSERT_EQ(calls_.held.size(), 1U);
  EXPECT_FALSE(one->idle());
  now_ = kNoon + 1h;
  one->look();
  other->look();
  run_for(50ms);
  EXPECT_EQ(calls_.runs.size(), 1U);
  std::exchange(calls_.held, {})[0]();
  calls_.hold = false;
  run_until(2, 0);
  settle(*one);
  EXPECT_THAT(calls_.due(), ElementsAre(kNoon, kNoon + 1h));
}

TEST_F(CronTriggers, OverlapWhereTheyMay) {
  calls_.hold = true;
  auto trigger = host({.overlap = true});
  for (std::size_t i = 0; i < kOverlapMax + 3; ++i) {
    now_ = kNoon + static_cast<int>(i) * 1h;
    trigger->look();
    run_until(std::min(i + 1, kOverlapMax), std::min(i + 1, kOverlapMax));
    run_for(30ms);
  }
  EXPECT_EQ(calls_.held.size(), kOverlapMax);
  EXPECT_FALSE(trigger->idle());
  for (auto& each : std::exchange(calls_.held, {})) each();
  settle(*trigger);
  EXPECT_TRUE(trigger->idle());
}

TEST_F(CronTriggers, CountWhereTheyWaitForRoom) {
  auto trigger = host({.overlap = true});
  calls_.full = true;
  now_ = kNoon;
  trigger->look();
  run_until(1, 0);
  // Between two calls that found no room too.
  for (int i = 0; i < 20; ++i) {
    run_for(5ms);
    EXPECT_FALSE(trigger->idle());
  }
  calls_.full = false;
  settle(*trigger);
  EXPECT_TRUE(trigger->idle());
}

TEST_F(CronTriggers, AreDoneAlsoWhereTheyFail) {
  auto trigger = host();
  calls_.outcome = failure(Errc::kTrap, "it trapped");
  go_to(kNoon, *trigger);
  go_to(kNoon + 1s, *trigger);
  calls_.returned = std::unexpected("no paper");
  go_to(kNoon + 1h, *trigger);
  go_to(kNoon + 1h + 1s, *trigger);
  EXPECT_THAT(calls_.due(), ElementsAre(kNoon, kNoon + 1h));
  EXPECT_EQ(meter_.begun.get(), 2U);
  EXPECT_EQ(meter_.ended[static_cast<std::size_t>(RunEnd::kTrapped)].get(), 1U);
  EXPECT_EQ(meter_.ended[static_cast<std::size_t>(RunEnd::kFailed)].get(), 1U);
}

TEST_F(CronTriggers, AreDoneOnceWhereTheStoreWasAway) {
  auto trigger = host({.missed = Missed::kAll});
  calls_.hold = true;
  go_to(kNoon, *trigger);
  ASSERT_EQ(calls_.held.size(), 1U);
  away_ = true;
  calls_.hold = false;
  std::exchange(calls_.held, {})[0]();
  settle(*trigger);
  away_ = false;
  go_to(kNoon + 5s, *trigger);
  EXPECT_THAT(calls_.due(), ElementsAre(kNoon));
  go_to(kNoon + 1h, *trigger);
  EXPECT_THAT(calls_.due(), ElementsAre(kNoon, kNoon + 1h));
  // It is written down: another host has nothing to do.
  trigger.reset();
  host({.missed = Missed::kAll}).reset();
  EXPECT_EQ(calls_.runs.size(), 2U);
}

TEST_F(CronTriggers, WaitForRoom) {
  auto trigger = host();
  calls_.outcome = failure(Errc::kUnavailable, "no instance is free");
  go_to(kNoon, *trigger);
  EXPECT_THAT(calls_.due(), ElementsAre(kNoon, kNoon));
  go_to(kNoon + 1s, *trigger);
  EXPECT_EQ(calls_.runs.size(), 2U);
}

TEST_F(CronTriggers, BeginNothingWhenTheyAreStopped) {
  auto trigger = host();
  trigger->stop();
  go_to(kNoon, *trigger);
  EXPECT_THAT(calls_.runs, IsEmpty());
  EXPECT_TRUE(trigger->idle());
  // The one after it goes on.
  auto next = host();
  EXPECT_THAT(calls_.due(), ElementsAre(kNoon));
  // And goes while a run is under way.
  calls_.hold = true;
  go_to(kNoon + 1h, *next);
  ASSERT_EQ(calls_.held.size(), 1U);
  next.reset();
  std::exchange(calls_.held, {})[0]();
  run_for(20ms);
  EXPECT_EQ(calls_.runs.size(), 2U);
}

TEST_F(CronTriggers, BeginLaterByChance) {
  auto trigger = host({.jitter = 40ms});
  now_ = kNoon;
  trigger->look();
  run_until(1, 0);
  settle(*trigger);
  EXPECT_THAT(calls_.due(), ElementsAre(kNoon));
}

TEST_F(CronTriggers, AreNotMissedWhereTheyAreLateByChance) {
  auto trigger = host({.jitter = kJitterMax});
  go_to(kNoon, *trigger);
  // It has its time, which does not come in this test unless the trigger is told to look.
  EXPECT_THAT(calls_.runs, IsEmpty());
  go_to(kNoon + 30min, *trigger);
  EXPECT_THAT(calls_.due(), ElementsAre(kNoon));
}

TEST_F(CronTriggers, AreRunByHandAfterARunThatGoesOn) {
  calls_.hold = true;
  auto trigger = host();
  go_to(kNoon, *trigger);
  ASSERT_EQ(calls_.held.size(), 1U);
  std::optional<Result<std::string>> said;
  auto work = by_hand(said);
  run_for(50ms);
  EXPECT_EQ(calls_.runs.size(), 1U);
  std::exchange(calls_.held, {})[0]();
  run_until(2, 1);
  ASSERT_EQ(calls_.held.size(), 1U);
  EXPECT_FALSE(said);
  // No other run begins meanwhile.
  now_ = kNoon + 1h;
  trigger->look();
  run_for(50ms);
  EXPECT_EQ(calls_.runs.size(), 2U);
  calls_.hold = false;
  std::exchange(calls_.held, {})[0]();
  Deadline limit = Deadline::after(20s);
  while (!said && !limit.passed()) run_for(5ms);
  ASSERT_TRUE(said && said->has_value());
  EXPECT_THAT(**said, ::testing::StartsWith("{\"token\":"));
  EXPECT_GT(calls_.runs[1].token, calls_.runs[0].token);
  go_to(now_, *trigger);
  run_until(3, 0);
  EXPECT_EQ(calls_.due().back(), kNoon + 1h);
}

TEST_F(CronTriggers, WaitNoMoreForARunByHandThatIsDropped) {
  calls_.hold = true;
  auto trigger = host();
  go_to(kNoon, *trigger);
  ASSERT_EQ(calls_.held.size(), 1U);
  std::optional<Result<std::string>> said;
  auto waits = by_hand(said);
  run_for(20ms);
  waits.reset();
  calls_.hold = false;
  std::exchange(calls_.held, {})[0]();
  settle(*trigger);
  go_to(kNoon + 1h, *trigger);
  EXPECT_THAT(calls_.due(), ElementsAre(kNoon, kNoon + 1h));
  // And one whose call is under way gives the lock back.
  calls_.hold = true;
  auto runs = by_hand(said);
  run_until(3, 1);
  ASSERT_EQ(calls_.held.size(), 1U);
  runs.reset();
  calls_.held.clear();
  calls_.hold = false;
  go_to(kNoon + 2h, *trigger);
  EXPECT_EQ(calls_.due().back(), kNoon + 2h);
  EXPECT_FALSE(said);
}

TEST_F(CronTriggers, SayWhatBecameOfARunByHand) {
  calls_.returned = std::unexpected("no paper");
  std::optional<Result<std::string>> said;
  auto work = by_hand(said);
  Deadline limit = Deadline::after(20s);
  while (!said && !limit.passed()) run_for(5ms);
  ASSERT_TRUE(said && !said->has_value());
  EXPECT_EQ(said->error().message(), "the run failed: no paper");
}

}  // namespace
}  // namespace weft::cron
