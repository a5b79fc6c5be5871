// Shows one instance that serves call after call: it remembers, each call has its own time, and a
// trap or its share of calls ends it.
#include "engine/kept_guest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "door/values.h"
#include "engine/test_guests.h"
#include "engine/testing.h"

namespace weft::testing {
namespace {

using ::testing::HasSubstr;
using Ending = RunOutcome::Ending;

// `count` says how often it was called; the others do what their names say.
constexpr std::string_view kCountingGuest = R"((component
  (core module $main
    (global $calls (mut i32) (i32.const 0))
    (func (export "count") (result i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (global.get $calls))
    (func (export "spin") (loop $on (br $on)))
    (func (export "trap") unreachable))
  (core instance $main (instantiate $main))
  (func (export "count") (result u32) (canon lift (core func $main "count")))
  (func (export "spin") (canon lift (core func $main "spin")))
  (func (export "trap") (canon lift (core func $main "trap"))))
)";

// `says` prints a part of a line.
constexpr std::string_view kSayingGuest = R"((component
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $io
    (alias outer 1 $error (type $e'))
    (export "error" (type $e (eq $e')))
    (type $se' (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $se (eq $se')))
    (export "output-stream" (type $out (sub resource)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $out)) (param "contents" (list u8))
        (result (result (error $se)))))))
  (alias export $io "output-stream" (type $out))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $out (type $o'))
    (export "output-stream" (type $o (eq $o')))
    (export "get-stdout" (func (result (own $o))))))
  (core module $room (memory (export "memory") 1))
  (core instance $room (instantiate $room))
  (alias core export $room "memory" (core memory $memory))
  (core func $write (canon lower (func $io "[method]output-stream.blocking-write-and-flush")
    (memory $memory)))
  (core func $get (canon lower (func $stdout "get-stdout")))
  (core func $drop (canon resource.drop $out))
  (core module $main
    (import "" "memory" (memory 1))
    (import "" "write" (func $write (param i32 i32 i32 i32)))
    (import "" "get" (func $get (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (data (i32.const 32) "a part")
    (func (export "says") (local $out i32)
      (call $write (local.tee $out (call $get)) (i32.const 32) (i32.const 6) (i32.const 0))
      (call $drop (local.get $out))))
  (core instance $main (instantiate $main (with "" (instance
    (export "memory" (memory $memory))
    (export "write" (func $write))
    (export "get" (func $get))
    (export "drop" (func $drop))))))
  (func (export "says") (canon lift (core func $main "says"))))
)";

class KeptGuestTest : public ::testing::Test {
 protected:
  void begin(Limits limits = {}) { begin(file_with("counting.wat", kCountingGuest), limits); }
  void begin(const std::string& file, Limits limits = {}) {
    stage_.emplace(ground_, file, StageOptions{.limits = limits});
    guest_ = KeptGuest::make(stage_->deployment());
  }
  // The number that it gave, or nothing where it did not return.
  std::optional<std::uint32_t> call(std::string_view name, std::chrono::milliseconds time = {}) {
    std::optional<std::uint32_t> given;
    bool over = false;
    guest_->call(stage_->function(name),
                 {.arguments = {},
                  .replied = [&](Reader& in) { given = in.read<std::uint32_t>(); },
                  .time = time},
                 [&](RunOutcome ended, BytesView) {
                   outcome_ = std::move(ended);
                   over = true;
                 });
    EXPECT_FALSE(over);
    EXPECT_TRUE(ground_.run_until([&] { return over; }));
    return given;
  }

  Ground ground_;
  std::optional<Stage> stage_;
  std::unique_ptr<KeptGuest> guest_;
  RunOutcome outcome_;
};

TEST_F(KeptGuestTest, RemembersWhatWasBefore) {
  begin();
  for (std::uint32_t i = 1; i <= 20; ++i) EXPECT_EQ(call("count"), i);
  EXPECT_TRUE(outcome_.well());
  EXPECT_FALSE(guest_->over());
}

TEST_F(KeptGuestTest, CallsMayFollowFromInsideTheEndOfTheOneBefore) {
  begin();
  std::uint32_t last = 0;
  int left = 50;
  std::function<void()> next = [&] {
    guest_->call(stage_->function("count"),
                 {.arguments = {}, .replied = [&](Reader& in) { last = in.read<std::uint32_t>(); }},
                 [&](RunOutcome ended, BytesView) {
                   EXPECT_TRUE(ended.well());
                   if (--left > 0) next();
                 });
  };
  next();
  EXPECT_TRUE(ground_.run_until([&] { return left == 0; }));
  EXPECT_EQ(last, 50U);
}

TEST_F(KeptGuestTest, ATrapEndsIt) {
  begin();
  EXPECT_EQ(call("count"), 1U);
  EXPECT_EQ(call("trap"), std::nullopt);
  EXPECT_EQ(outcome_.ending, Ending::kTrapped);
  EXPECT_THAT(outcome_.message, HasSubstr("unreachable"));
  EXPECT_TRUE(guest_->over());
}

TEST_F(KeptGuestTest, EachCallHasTheTimeOfOne) {
  begin({.time = std::chrono::milliseconds(400)});
  for (std::uint32_t i = 1; i <= 6; ++i) {
    EXPECT_EQ(call("count"), i);
    EXPECT_FALSE(ground_.run_until([end = Deadline::after(std::chrono::milliseconds(100)), this] {
      return guest_->over() || end.passed();
    }) && guest_->over());
  }
  EXPECT_EQ(call("spin", std::chrono::milliseconds(50)), std::nullopt);
  EXPECT_EQ(outcome_.ending, Ending::kLimited);
  EXPECT_EQ(outcome_.limit, LimitKind::kTime);
  EXPECT_THAT(outcome_.message, HasSubstr("50 ms"));
  EXPECT_TRUE(guest_->over());
}

TEST_F(KeptGuestTest, EachCallHasTheProcessorTimeOfOne) {
  begin({.cpu = std::chrono::milliseconds(30)});
  for (std::uint32_t i = 1; i <= 20; ++i) EXPECT_EQ(call("count"), i);
  EXPECT_EQ(call("spin"), std::nullopt);
  EXPECT_EQ(outcome_.ending, Ending::kLimited);
  EXPECT_EQ(outcome_.limit, LimitKind::kCpu);
}

TEST_F(KeptGuestTest, IsOverWhenItHasHadItsShare) {
  begin({.reuse_calls_max = 3});
  for (std::uint32_t i = 1; i <= 3; ++i) {
    EXPECT_FALSE(guest_->over());
    EXPECT_EQ(call("count"), i);
  }
  EXPECT_TRUE(guest_->over());
  EXPECT_TRUE(outcome_.well());
}

// Each call's is logged as it ends, and not with the next one's or when the instance goes.
TEST_F(KeptGuestTest, LogsWhatACallPrintsThoughItIsNoWholeLine) {
  begin(file_with("saying.wat", kSayingGuest));
  for (int i = 0; i < 2; ++i) {
    ::testing::internal::CaptureStderr();
    bool over = false;
    guest_->call(stage_->function("says"), {}, [&](RunOutcome ended, BytesView) {
      EXPECT_TRUE(ended.well()) << ended.message;
      over = true;
    });
    EXPECT_TRUE(ground_.run_until([&] { return over; }));
    std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_THAT(said, HasSubstr("guest: a part app=app request="));
    EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
  }
}

TEST_F(KeptGuestTest, GoesAtAnyTime) {
  begin();
  bool ended = false;
  guest_->call(stage_->function("count"), {}, [&](RunOutcome, BytesView) { ended = true; });
  guest_.reset();
  EXPECT_FALSE(ground_.run_until([end = Deadline::after(std::chrono::milliseconds(20)), &ended] {
    return ended || end.passed();
  }) && ended);
  EXPECT_EQ(stage_->deployment().contexts, 0U);
}

// With arguments, and a host call that waits: it answers, and what is dropped meanwhile is stopped.
TEST_F(KeptGuestTest, WaitsForWhatItsGuestAsked) {
  stage_.emplace(ground_, guest("echo_iface"));
  stage_->script().way = [](const Call&) { return Script::Way::kLater; };
  guest_ = KeptGuest::make(stage_->deployment());
  std::optional<std::uint32_t> given;
  bool over = false;
  auto ask = [&](std::uint32_t number) {
    given.reset();
    over = false;
    stage_->script().waiting.clear();
    guest_->call(stage_->function("number"),
                 {.arguments = [number](Writer& out) { out.write(number); },
                  .replied = [&](Reader& in) { given = in.read<std::uint32_t>(); }},
                 [&](RunOutcome ended, BytesView) { over = ended.well(); });
    ASSERT_TRUE(ground_.run_until([&] { return stage_->script().waiting.size() == 1; }));
  };
  for (std::uint32_t number : {7U, 8U}) {
    ask(number);
    EXPECT_FALSE(over);
    stage_->script().finish(0);
    EXPECT_TRUE(ground_.run_until([&] { return over; }));
    EXPECT_EQ(given, number);
  }
  ask(9);
  guest_.reset();
  EXPECT_EQ(stage_->script().cancelled, 1);
  EXPECT_EQ(ground_.engine().live(), 0U);
  stage_->script().finish(0);
  EXPECT_EQ(ground_.engine().calls().live(), 0U);
  EXPECT_FALSE(over);
}

}  // namespace
}  // namespace weft::testing
