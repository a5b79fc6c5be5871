// Shows whose instances calls have: fresh ones, or reused ones for as long as those are fit for it
// and nobody else needs their place.
#include "triggers/event/guest_calls.h"

#include <gtest/gtest.h>

#include <optional>

#include "door/values.h"
#include "engine/testing.h"

namespace weft::testing {
namespace {

using Instances = CallSettings::Instances;

// Each counts the calls of its instance. After it has returned `stirs` goes on for ever, and
// `traps` traps. `leaves` leaves, and calls that a success.
constexpr std::string_view kGuest = R"((component
  (import "wasi:cli/exit@0.2.0" (instance $exit
    (export "exit" (func (param "status" (result))))))
  (core func $leave (canon lower (func $exit "exit")))
  (core func $return (canon task.return (result u32)))
  (core module $main
    (import "" "return" (func $return (param i32)))
    (import "" "leave" (func $leave (param i32)))
    (global $calls (mut i32) (i32.const 0))
    (func $count (export "count") (result i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (global.get $calls))
    (func (export "leaves") (result i32)
      (call $leave (i32.const 0))
      unreachable)
    (func (export "returns") (result i32)
      (call $return (call $count))
      (i32.const 0))
    (func (export "yields") (result i32)
      (call $return (call $count))
      (i32.const 1))
    (func (export "yields-again") (param i32 i32 i32) (result i32) (i32.const 1))
    (func (export "traps-then") (param i32 i32 i32) (result i32) unreachable))
  (core instance $main (instantiate $main
    (with "" (instance (export "return" (func $return)) (export "leave" (func $leave))))))
  (func (export "leaves") (result u32) (canon lift (core func $main "leaves")))
  (type $way (func async (result u32)))
  (func (export "count") (result u32) (canon lift (core func $main "count")))
  (func (export "returns") (type $way) (canon lift (core func $main "returns")
    async (callback (core func $main "yields-again"))))
  (func (export "stirs") (type $way) (canon lift (core func $main "yields")
    async (callback (core func $main "yields-again"))))
  (func (export "traps") (type $way) (canon lift (core func $main "yields")
    async (callback (core func $main "traps-then"))))
))";

class GuestCallsTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kCount = 0, kStirs = 1, kTraps = 2, kReturns = 3, kLeaves = 4;

  void begin(Instances instances, Limits limits = {}) {
    stage_.emplace(ground_, file_with("calls.wat", kGuest), StageOptions{.limits = limits});
    calls_.emplace(
        stage_->deployment(),
        std::vector{stage_->function("count"), stage_->function("stirs"), stage_->function("traps"),
                    stage_->function("returns"), stage_->function("leaves")},
        CallSettings{.instances = instances});
  }
  // Which call of its instance it was; nothing: it did not return well.
  std::optional<std::uint32_t> call(std::size_t ordinal) {
    std::optional<std::uint32_t> given;
    std::optional<Result<void>> ended;
    calls_->call(
        ordinal, {}, [&](Reader& in) { given = in.read<std::uint32_t>(); },
        [&](Result<void> outcome) { ended = std::move(outcome); });
    EXPECT_FALSE(ended);
    EXPECT_TRUE(ground_.run_until([&] { return ended.has_value(); }));
    return ended && *ended ? given : std::nullopt;
  }
  void pause(std::chrono::milliseconds time) {
    ground_.run_until([end = Deadline::after(time)] { return end.passed(); });
  }
  std::size_t instances() { return stage_->deployment().contexts; }

  Ground ground_;
  std::optional<Stage> stage_;
  std::optional<GuestCalls> calls_;
};

TEST_F(GuestCallsTest, HaveFreshInstances) {
  begin(Instances::kFresh);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(call(kCount), 1U);
}

// A handler that left has handled nothing, whatever it says of itself, and its instance is over.
TEST_F(GuestCallsTest, FailWhereTheGuestLeaves) {
  for (Instances instances : {Instances::kFresh, Instances::kReused}) {
    begin(instances);
    EXPECT_EQ(call(kLeaves), std::nullopt);
    EXPECT_EQ(call(kCount), 1U);
  }
}

TEST_F(GuestCallsTest, HaveReusedInstancesUntilThoseHadTheirShare) {
  begin(Instances::kReused, {.reuse_calls_max = 3});
  for (std::uint32_t i = 0; i < 9; ++i) EXPECT_EQ(call(kCount), i % 3 + 1);
}

TEST_F(GuestCallsTest, HaveReusedInstancesForAsynchronousFunctionsToo) {
  begin(Instances::kReused);
  for (std::uint32_t i = 1; i <= 5; ++i) {
    EXPECT_EQ(call(kReturns), i);
    pause(std::chrono::milliseconds(10));
  }
}

TEST_F(GuestCallsTest, AreNotMadeToWhatGoesOnByItself) {
  begin(Instances::kReused);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(call(kStirs), 1U);
    EXPECT_TRUE(ground_.run_until([&] { return instances() == 0; }));
  }
}

TEST_F(GuestCallsTest, AreNotMadeToWhatEndedBetweenTwo) {
  begin(Instances::kReused);
  for (int i = 0; i < 5; ++i) {
    // It may trap before it was seen to return.
    EXPECT_EQ(call(kTraps).value_or(1), 1U);
    pause(std::chrono::milliseconds(10));
    EXPECT_EQ(call(kCount), 1U);
    EXPECT_EQ(call(kCount), 2U);
    calls_.reset();
    begin(Instances::kReused);
  }
}

TEST_F(GuestCallsTest, LeaveNoneWaitingInAFullComponent) {
  begin(Instances::kReused, {.instances_max = 1});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(call(kCount), 1U);
    EXPECT_TRUE(ground_.run_until([&] { return instances() == 0; }));
  }
}

TEST_F(GuestCallsTest, LetGoOfWhatNobodyNeeds) {
  begin(Instances::kReused, {.reuse_idle = std::chrono::milliseconds(30)});
  EXPECT_EQ(call(kCount), 1U);
  EXPECT_EQ(instances(), 1U);
  EXPECT_TRUE(ground_.run_until([&] { return instances() == 0; }));
}

}  // namespace
}  // namespace weft::testing
