// Shows what a component is called for: batches by their size and age, crossings in order, and what
// becomes of both when the handler fails, is slow or has no room.
#include "capabilities/sensor/trigger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "base/buffer.h"
#include "capabilities/capability.h"
#include "capabilities/sensor/watchers.h"
#include "door/values.h"
#include "io/loop.h"
#include "wit/weft/sensor_0_1_0/crossings.h"
#include "wit/weft/sensor_0_1_0/types.h"

namespace weft::sensor {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using WitCrossing = ::weft::wit::weft::sensor_0_1_0::crossings::Crossing;
using WitMeasurement = ::weft::wit::weft::sensor_0_1_0::types::Measurement;

// Says what a test has it say.
class MadeSource final : public Source, public std::enable_shared_from_this<MadeSource> {
 public:
  Answer<std::vector<SensorInfo>> list(Request) override {
    return std::vector<SensorInfo>{{"t", "Cel"}};
  }
  Answer<Measurement> read(Request, std::string) override { return failure(Errc::kNotFound, ""); }
  Result<std::unique_ptr<Watching>> watch(std::string pattern, Taker taker) override {
    return watchers.add(std::move(pattern), std::move(taker), shared_from_this());
  }
  void say(double value, std::string sensor = "t", Quality quality = Quality::kGood) {
    watchers.tell({std::move(sensor), value, "Cel", calendar(), quality});
  }

  Watchers watchers;
};

// Plays the component: keeps what it was called for, and ends calls as it is told.
class Played final : public HandlerCalls {
 public:
  explicit Played(Loop& loop) : loop_(loop) {}

  void call(std::size_t ordinal, Arguments arguments, Replied replied, Ended ended) override {
    Buffer bytes;
    Writer out(bytes);
    arguments(out);
    Reader in(bytes.view());
    std::string text;
    if (ordinal == 0) {
      for (const WitMeasurement& each : in.read<std::vector<WitMeasurement>>()) {
        text += std::to_string(static_cast<int>(each.value)) + " ";
      }
    } else {
      auto crossing = in.read<WitCrossing>();
      text = crossing.measurement.sensor + (crossing.beyond ? " beyond " : " back ") +
             std::to_string(static_cast<int>(crossing.measurement.value));
    }
    calls.push_back(text);
    auto end = [this, replied = std::move(replied), ended = std::move(ended)]() mutable {
      Result<void> result;
      if (full) result = failure(Errc::kUnavailable, "no instance is free");
      if (result) {
        bool fails = failures > 0 && failures-- > 0;
        Buffer reply;
        Writer written(reply);
        written.write(fails ? std::expected<void, std::string>(std::unexpected("no paper"))
                            : std::expected<void, std::string>());
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

  bool hold = false;
  bool full = false;  // There is no room.
  int failures = 0;   // Of the next calls.
  std::vector<std::move_only_function<void()>> held;
  std::vector<std::string> calls;

 private:
  Loop& loop_;
};

class SensorTriggerTest : public ::testing::Test {
 protected:
  std::unique_ptr<SensorTrigger> trigger(TriggerOptions options) {
    options.pattern = "boiler/*";
    return std::make_unique<SensorTrigger>(
        Waking{loop_, "app", "component", use_, offer_, settings_, calls_, &meter_},
        std::move(options), source_);
  }
  std::unique_ptr<SensorTrigger> alarm(double above, double hysteresis = 0) {
    return trigger({.limits = {.above = above, .hysteresis = hysteresis}});
  }
  template <class Done>
  bool until(Done done) {
    Deadline limit = Deadline::after(20s);
    while (!done()) {
      if (limit.passed()) return false;
      loop_.context().restart();
      loop_.context().run_for(5ms);
    }
    return true;
  }
  // Runs what there is to run.
  void settle() {
    until([run = 0]() mutable { return ++run > 5; });
  }
  void let_go() {
    for (auto& each : std::exchange(calls_.held, {})) each();
  }

  Loop loop_;
  std::shared_ptr<MadeSource> source_ = std::make_shared<MadeSource>();
  Use use_;
  Offer offer_;
  TriggerSettings settings_;
  Played calls_{loop_};
  TriggerMeter meter_;
};

TEST_F(SensorTriggerTest, CallsForWhatCrossesALimit) {
  auto made = alarm(30, 2);
  for (double value : {20.0, 31.0, 35.0, 29.0, 27.0, 33.0}) source_->say(value);
  ASSERT_TRUE(until([&] { return calls_.calls.size() >= 3; }));
  settle();
  EXPECT_THAT(calls_.calls,
              ElementsAre("boiler/t beyond 31", "boiler/t back 27", "boiler/t beyond 33"));
  EXPECT_TRUE(made->idle());
}

TEST_F(SensorTriggerTest, CallsOneAfterTheOtherAndHoldsUpNobody) {
  calls_.hold = true;
  auto made = alarm(30);
  for (int i = 0; i < 10; ++i) source_->say(i % 2 == 0 ? 31 : 29);
  settle();
  EXPECT_EQ(calls_.calls.size(), 1U);
  EXPECT_FALSE(made->idle());
  calls_.hold = false;
  let_go();
  ASSERT_TRUE(until([&] { return calls_.calls.size() == 10; }));
  EXPECT_EQ(calls_.calls.back(), "boiler/t back 29");
}

TEST_F(SensorTriggerTest, HoldsSoManyCrossingsForAHandlerThatIsSlow) {
  calls_.hold = true;
  auto made = alarm(30);
  // One is under way; of the rest the newest wait.
  for (std::size_t i = 0; i < kCrossingsMax + 11; ++i) source_->say(i % 2 == 0 ? 31 : 29);
  settle();
  calls_.hold = false;
  let_go();
  ASSERT_TRUE(until([&] { return made->idle() && calls_.calls.size() > kCrossingsMax; }));
  settle();
  EXPECT_EQ(calls_.calls.size(), kCrossingsMax + 1);
}

TEST_F(SensorTriggerTest, TriesAgainWhatFailedAndGoesOnAfterSome) {
  auto made = alarm(30);
  calls_.failures = 1;
  source_->say(31);
  source_->say(29);
  ASSERT_TRUE(until([&] { return calls_.calls.size() == 3; }));
  EXPECT_THAT(calls_.calls,
              ElementsAre("boiler/t beyond 31", "boiler/t beyond 31", "boiler/t back 29"));
  calls_.calls.clear();
  calls_.failures = kAttempts;
  source_->say(32);
  source_->say(28);
  ASSERT_TRUE(until([&] { return calls_.calls.size() == kAttempts + 1; }));
  EXPECT_EQ(calls_.calls.back(), "boiler/t back 28");
}

TEST_F(SensorTriggerTest, WaitsForRoomWithoutCountingIt) {
  auto made = alarm(30);
  calls_.full = true;
  source_->say(31);
  ASSERT_TRUE(until([&] { return calls_.calls.size() > kAttempts + 1; }));
  calls_.full = false;
  std::size_t before = calls_.calls.size();
  ASSERT_TRUE(until([&] { return made->idle() && calls_.calls.size() > before; }));
  settle();
  EXPECT_EQ(calls_.calls.size(), before + 1);
}

TEST_F(SensorTriggerTest, BatchesAreFullOrOldEnough) {
  auto made = trigger({.most = 3, .every = 300ms});
  auto begin = Deadline::Clock::now();
  for (int i = 1; i <= 7; ++i) source_->say(i);
  ASSERT_TRUE(until([&] { return calls_.calls.size() == 3; }));
  EXPECT_THAT(calls_.calls, ElementsAre("1 2 3 ", "4 5 6 ", "7 "));
  EXPECT_GE(Deadline::Clock::now() - begin, 290ms);
}

TEST_F(SensorTriggerTest, BatchesWaitByTheirPolicyWhileTheHandlerIsSlow) {
  calls_.hold = true;
  auto made = trigger({.policy = {.kind = Policy::Kind::kLatest}});
  source_->say(1);
  ASSERT_TRUE(until([&] { return calls_.calls.size() == 1; }));
  for (int i = 2; i <= 9; ++i) source_->say(i);
  settle();
  calls_.hold = false;
  let_go();
  ASSERT_TRUE(until([&] { return calls_.calls.size() == 2; }));
  EXPECT_THAT(calls_.calls, ElementsAre("1 ", "9 "));
}

TEST_F(SensorTriggerTest, ABatchThatFailedComesAgainBeforeTheNext) {
  auto made = trigger({.most = 2, .every = 50ms});
  calls_.failures = 2;
  for (int i = 1; i <= 4; ++i) source_->say(i);
  ASSERT_TRUE(until([&] { return calls_.calls.size() == 4; }));
  EXPECT_THAT(calls_.calls, ElementsAre("1 2 ", "1 2 ", "1 2 ", "3 4 "));
}

TEST_F(SensorTriggerTest, BeginsNothingWhenItIsStoppedAndMayGoDuringACall) {
  auto made = alarm(30);
  calls_.hold = true;
  source_->say(31);
  source_->say(29);
  ASSERT_TRUE(until([&] { return calls_.held.size() == 1; }));
  made->stop();
  source_->say(35);
  EXPECT_FALSE(made->idle());
  let_go();
  settle();
  EXPECT_TRUE(made->idle());
  EXPECT_EQ(calls_.calls.size(), 1U);
  // The one after it learns anew what is beyond.
  auto next = alarm(30);
  source_->say(36);
  ASSERT_TRUE(until([&] { return calls_.held.size() == 1; }));
  EXPECT_EQ(calls_.calls.back(), "boiler/t beyond 36");
  next.reset();
  let_go();
  settle();
  EXPECT_THAT(calls_.held, IsEmpty());
}

TEST_F(SensorTriggerTest, CountsItsRunsByHowTheyEnded) {
  calls_.failures = kAttempts;
  auto made = alarm(30);
  source_->say(31);
  ASSERT_TRUE(until([&] { return meter_.given_up.get() == 1; }));
  source_->say(29);
  ASSERT_TRUE(until([&] { return meter_.ended[0].get() == 1; }));
  EXPECT_EQ(meter_.ended[static_cast<std::size_t>(RunEnd::kFailed)].get(), kAttempts);
  EXPECT_EQ(meter_.begun.get(), kAttempts + 1);
}

}  // namespace
}  // namespace weft::sensor
