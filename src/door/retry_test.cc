// Shows which failures are tried again and which are not, how long is waited between, that
// deadline, cancel and budget end it, and that an attempt may have a time of its own.

#include "door/retry.h"

#include <gmock/gmock.h>

#include "door/attempt.h"
#include "door/layers_testing.h"

namespace weft {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::EndsWith;
using testing::function_named;
using testing::Notes;

// Fails the first calls, and echoes those that follow; inline.
class Flaky : public Provider {
 public:
  void begin(Call& call, Completion done) override {
    ++attempts;
    if (failures > 0) {
      --failures;
      return std::move(done).fail(Error(code, "down"));
    }
    done.reply().append(call.arguments());
    std::move(done).finish();
  }
  int failures = 0;
  int attempts = 0;
  Errc code = Errc::kUnavailable;
};

// Notes the message of a failure.
class Failure : public Caller {
 public:
  void completed(Call& call) override {
    ASSERT_EQ(call.state(), Call::State::kFailed);
    error = call.error();
    call.release();
  }
  std::optional<Error> error;
};

class Retry : public testing::LayersTest {
 protected:
  static constexpr RetryLayer::Rules kSoon{.attempts = 3, .wait = milliseconds(1)};

  Flaky flaky_;
};

TEST_F(Retry, WhatDoesNotFailStaysInline) {
  RetryLayer retry(loop_, kSoon, 1, &events_);
  Link link(function_named("f"), flaky_, {&retry});
  Call* call = start(link, "once");
  ASSERT_EQ(call->state(), Call::State::kDone);
  EXPECT_EQ(as_text(call->reply()), "once");
  call->release();
  EXPECT_EQ(events_.of(LinkEvent::kRetry), 0);
}

TEST_F(Retry, TriesAgainWithTheSameArguments) {
  RetryLayer retry(loop_, kSoon, 1, &events_);
  Link link(function_named("f"), flaky_, {&retry});
  flaky_.failures = 2;
  Notes notes;
  start(link, notes, "again");
  run_until([&] { return notes.count == 1; });
  EXPECT_EQ(notes.reply, "again");
  EXPECT_EQ(flaky_.attempts, 3);
  EXPECT_EQ(events_.of(LinkEvent::kRetry), 2);
  EXPECT_EQ(retry.waiting(), 0U);
  EXPECT_EQ(pool_.live(), 0U);
}

TEST_F(Retry, TheLastFailureIsToldWithHowOftenItWasTried) {
  RetryLayer retry(loop_, kSoon, 1, &events_);
  Link link(function_named("f"), flaky_, {&retry});
  flaky_.failures = 100;
  Failure failure;
  start(link)->set_caller(&failure);
  run_until([&] { return failure.error.has_value(); });
  EXPECT_EQ(failure.error->code(), Errc::kUnavailable);
  EXPECT_EQ(failure.error->message(), "down (it was attempt 3 of 3)");
  EXPECT_EQ(flaky_.attempts, 3);
}

TEST_F(Retry, OtherFailuresAreFinal) {
  RetryLayer retry(loop_, kSoon, 1, &events_);
  Link link(function_named("f"), flaky_, {&retry});
  for (Errc code : {Errc::kInvalid, Errc::kDenied, Errc::kLimit, Errc::kIo, Errc::kInternal,
                    Errc::kUnsupported, Errc::kCancelled}) {
    flaky_.code = code;
    flaky_.failures = 1;
    Call* call = start(link);
    ASSERT_EQ(call->state(), Call::State::kFailed) << to_string(code);
    EXPECT_EQ(call->error().message(), "down");
    call->release();
  }
}

TEST_F(Retry, WaitsTwiceAsLongEachTimeAndHalfOfItByChance) {
  RetryLayer retry(loop_, {.attempts = 4, .wait = milliseconds(40)}, 7, nullptr);
  Link link(function_named("f"), flaky_, {&retry});
  flaky_.failures = 100;
  auto began = Deadline::Clock::now();
  Failure failure;
  start(link)->set_caller(&failure);
  run_until([&] { return failure.error.has_value(); });
  // At least half of 40, 80 and 160 ms.
  EXPECT_GE(Deadline::Clock::now() - began, milliseconds(140));
  EXPECT_EQ(flaky_.attempts, 4);
}

TEST_F(Retry, DoesNotWaitBeyondTheDeadline) {
  RetryLayer retry(loop_, {.attempts = 5, .wait = seconds(30)}, 1, &events_);
  Link link(function_named("f"), flaky_, {&retry});
  flaky_.failures = 100;
  Call* call = start(link, "x", Deadline::after(seconds(1)));
  ASSERT_EQ(call->state(), Call::State::kFailed) << "it waits for nothing";
  EXPECT_EQ(call->error().code(), Errc::kUnavailable);
  EXPECT_THAT(call->error().message(),
              EndsWith("(after attempt 1 of 5 its deadline leaves no time for another)"));
  call->release();
}

TEST_F(Retry, CancelledWhileItWaitsItIsNotTriedAgain) {
  RetryLayer retry(loop_, {.attempts = 3, .wait = milliseconds(10)}, 1, &events_);
  Link link(function_named("f"), flaky_, {&retry});
  flaky_.failures = 100;
  Notes notes;
  Call* call = start(link, notes);
  EXPECT_EQ(retry.waiting(), 1U);
  call->release();
  EXPECT_EQ(retry.waiting(), 0U);
  EXPECT_EQ(pool_.live(), 0U);
  EXPECT_EQ(loop_.timers().armed(), 0U);
  EXPECT_EQ(flaky_.attempts, 1);
}

TEST_F(Retry, CancelledWithinAnAttemptItIsNotTriedAgain) {
  RetryLayer retry(loop_, kSoon, 1, &events_);
  Link link(function_named("f"), late_, {&retry});
  start(link)->release();
  late_.waiting.clear();
  EXPECT_EQ(retry.waiting(), 0U);
  EXPECT_EQ(pool_.live(), 0U);
}

// The wheel's timers fire up to a tick late, so the budget is asked at a time of the test's.
TEST(RetryBudgetTest, AllowsAShareOfTheCallsAndAFewASecond) {
  RetryBudget::Time now{seconds(1000)};
  RetryBudget budget(now);
  int first = 0;
  while (budget.take(now)) ++first;
  EXPECT_EQ(first, 10);
  for (int i = 0; i < 50; ++i) budget.called();
  int share = 0;
  while (budget.take(now)) ++share;
  EXPECT_GE(share, 9);  // A fifth, but for what rounding takes.
  EXPECT_LE(share, 10);
  now += milliseconds(500);
  int half = 0;
  while (budget.take(now)) ++half;
  EXPECT_GE(half, 5);
  EXPECT_LE(half, 6);
  now += seconds(3600);
  int hour = 0;
  while (budget.take(now)) ++hour;
  EXPECT_EQ(hour, 10);
  for (int i = 0; i < 100'000; ++i) budget.called();
  int saved = 0;
  while (budget.take(now)) ++saved;
  EXPECT_EQ(saved, 100);
}

TEST_F(Retry, ACallIsNotTriedAgainWhenTooManyFail) {
  RetryLayer retry(loop_, {.attempts = 2, .wait = seconds(30)}, 1, &events_);
  Link link(function_named("f"), flaky_, {&retry});
  flaky_.failures = 1000;
  std::vector<Call*> waiting;
  std::string refused;
  for (int i = 0; i < 100 && refused.empty(); ++i) {
    Call* call = start(link);
    if (call->state() == Call::State::kRunning) {
      waiting.push_back(call);
      continue;
    }
    refused = call->error().message();
    call->release();
  }
  EXPECT_THAT(refused, EndsWith("too many calls of this link fail)"));
  EXPECT_GE(waiting.size(), 10U);
  EXPECT_LT(waiting.size(), 20U);
  for (Call* each : waiting) each->release();
  EXPECT_EQ(pool_.live(), 0U);
}

// Fails calls at their deadline, as the providers of links do.
class Keeping : public Provider {
 public:
  void begin(Call& call, Completion done) override {
    ++attempts;
    Held& held = held_.emplace_back(call.context().loop());
    held.done = std::move(done);
    held.done.on_cancel(
        [](void* data) {
          std::move(static_cast<Held*>(data)->done).fail(Error(Errc::kCancelled, ""));
        },
        &held);
    held.timer.arm(call.deadline());
  }
  struct Held {
    explicit Held(Loop& loop)
        : timer(loop, [this] {
            if (done) std::move(done).fail(Error(Errc::kTimeout, "no answer"));
          }) {}
    Completion done;
    Timer timer;
  };
  int attempts = 0;
  std::list<Held> held_;
};

TEST_F(Retry, AnAttemptOutOfItsTimeIsTriedAgain) {
  Keeping keeping;
  Function function = function_named("f");
  AttemptProvider attempts(function, keeping, milliseconds(20));
  RetryLayer retry(loop_, kSoon, 1, &events_);
  Link link(function, attempts, {&retry});
  Failure failure;
  start(link, "x", Deadline::after(seconds(30)))->set_caller(&failure);
  run_until([&] { return keeping.attempts == 2; });
  EXPECT_FALSE(failure.error);
  run_until([&] { return failure.error.has_value(); });
  EXPECT_EQ(keeping.attempts, 3);
  EXPECT_EQ(failure.error->code(), Errc::kTimeout);
  EXPECT_EQ(pool_.live(), 0U);
}

TEST_F(Retry, ACallOutOfItsTimeIsNot) {
  Keeping keeping;
  RetryLayer retry(loop_, kSoon, 1, &events_);
  Link link(function_named("f"), keeping, {&retry});
  Notes notes;
  start(link, notes, "x", Deadline::after(milliseconds(20)));
  run_until([&] { return notes.count == 1; });
  EXPECT_EQ(notes.failure, Errc::kTimeout);
  EXPECT_EQ(keeping.attempts, 1);
}

TEST_F(Retry, AnAttemptPassesRepliesFailuresAndCancels) {
  Function function = function_named("f");
  AttemptProvider inline_ones(function, flaky_, seconds(10));
  Link link(function, inline_ones);
  Call* call = start(link, "inline");
  ASSERT_EQ(call->state(), Call::State::kDone);
  EXPECT_EQ(as_text(call->reply()), "inline");
  call->release();
  flaky_.failures = 1;
  call = start(link);
  ASSERT_EQ(call->state(), Call::State::kFailed);
  EXPECT_EQ(call->error().message(), "down");
  call->release();

  Keeping keeping;
  AttemptProvider late_ones(function, keeping, seconds(10));
  Link late(function, late_ones);
  Notes notes;
  Call* given_up = start(late, notes);
  Call* kept = start(late, notes);
  given_up->release();
  EXPECT_FALSE(keeping.held_.front().done);
  Completion done = std::move(keeping.held_.back().done);
  done.reply().append("late");
  std::move(done).finish();
  EXPECT_EQ(notes.count, 1);
  EXPECT_EQ(notes.reply, "late");
  static_cast<void>(kept);
  EXPECT_EQ(pool_.live(), 0U);
}

}  // namespace
}  // namespace weft
