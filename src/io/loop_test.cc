// Shows that loops run what they are given in the order they promise, that timers fire late but
// never early, that gates and pools hold their bounds. Threads meet at latches, never at sleeps.

#include "io/loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <latch>
#include <random>
#include <stdexcept>
#include <string>

#include "io/gate.h"
#include "io/pool.h"
#include "io/timer.h"

namespace weft {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Runs `loop` on this thread until something calls stop.
void run(Loop& loop, Loop::Work first) {
  loop.post(std::move(first));
  loop.run();
}

TEST(Loop, KnowsItsThread) {
  Loops loops({.count = 3});
  std::array<std::thread::id, 3> threads;
  loops.on_each([&](Loop& loop, std::size_t index) {
    EXPECT_TRUE(loop.on_this_loop());
    EXPECT_EQ(Loop::current(), &loops[index]);
    threads[index] = std::this_thread::get_id();
  });
  EXPECT_NE(threads[0], threads[1]);
  EXPECT_NE(threads[1], threads[2]);
  EXPECT_EQ(Loop::current(), nullptr);
}

// The hooks run on the loop's own thread, around all handlers.
TEST(Loops, CallsItsHooksOnEachThread) {
  std::atomic<int> started = 0;
  std::atomic<int> stopped = 0;
  {
    Loops loops({.count = 2,
                 .started = [&](Loop& loop) { started += loop.on_this_loop() ? 0 : 1; },
                 .stopping = [&](Loop&) { ++stopped; }});
    loops.on_each([&](Loop&, std::size_t) { EXPECT_EQ(stopped, 0); });
  }
  EXPECT_EQ(started, 2);
  EXPECT_EQ(stopped, 2);
}

// What computes for long runs when no handler is ready, one at a time: what is posted meanwhile
// goes before the next of it.
TEST(Loop, RunsIdleWorkWhenNothingIsReady) {
  Loop loop;
  std::vector<std::string> order;
  run(loop, [&] {
    loop.defer_idle([&] {
      order.push_back("idle 1");
      loop.post([&] { order.push_back("posted by idle"); });
      loop.defer_idle([&] {
        order.push_back("idle 3");
        loop.stop();
      });
    });
    loop.defer_idle([&] { order.push_back("idle 2"); });
    loop.post([&] {
      order.push_back("posted");
      loop.post([&] { order.push_back("posted by posted"); });
    });
  });
  EXPECT_THAT(order, ElementsAre("posted", "posted by posted", "idle 1", "posted by idle", "idle 2",
                                 "idle 3"));
}

// Handlers that are ready without a pause do not keep it from running.
TEST(Loop, RunsIdleWorkBesideABusyLoop) {
  Loop loop;
  bool ran = false;
  std::function<void()> busy = [&] {
    if (ran) return loop.stop();
    loop.post(busy);
  };
  run(loop, [&] {
    loop.defer_idle([&] { ran = true; });
    busy();
  });
  EXPECT_TRUE(ran);
}

// Deferred work runs as the handler ends, before what was posted earlier; what it defers itself
// waits for the queue.
TEST(Loop, DefersToTheEndOfTheTurn) {
  Loop loop;
  std::vector<std::string> order;
  run(loop, [&] {
    loop.post([&] { order.push_back("posted"); });
    loop.defer([&] {
      order.push_back("deferred");
      loop.defer([&] {
        order.push_back("deferred by deferred");
        loop.stop();
      });
    });
    order.push_back("handler");
  });
  EXPECT_THAT(order, ElementsAre("handler", "deferred", "posted", "deferred by deferred"));
}

// Also where no other handler comes by.
TEST(Loop, RunsWhatDeferredWorkDefers) {
  Loop loop;
  std::vector<std::string> order;
  run(loop, [&] {
    loop.defer_last([&] { order.push_back("last"); });
    loop.defer([&] {
      order.push_back("deferred");
      loop.defer([&] { loop.stop(); });
    });
  });
  EXPECT_THAT(order, ElementsAre("deferred", "last"));
}

// Results are sent once the handlers that are ready have run: one send does not come between them.
TEST(Loop, RunsWhatIsLastAfterABatchOfHandlers) {
  Loop loop;
  std::vector<std::string> order;
  for (const char* name : {"a", "b"}) {
    loop.post([&, name] {
      order.push_back(name);
      loop.defer_last([&, name] {
        order.push_back(std::string("last of ") + name);
        if (order.size() == 4) loop.stop();
      });
    });
  }
  loop.run();
  EXPECT_THAT(order, ElementsAre("a", "b", "last of a", "last of b"));
}

// A batch is bounded: handlers that never cease do not hold up what is last.
TEST(Loop, RunsWhatIsLastThoughHandlersNeverCease) {
  Loop loop;
  int handlers = 0;
  bool sent = false;
  std::function<void()> again = [&] {
    if (++handlers == 1) loop.defer_last([&] { sent = true; });
    if (sent || handlers == 10'000) return loop.stop();
    loop.post([&] { again(); });
  };
  loop.post([&] { again(); });
  loop.run();
  EXPECT_TRUE(sent);
  EXPECT_LT(handlers, 100);
}

Task<void> defer_in_task(Loop& loop, std::vector<std::string>& order) {
  loop.defer([&] { order.push_back("deferred"); });
  order.push_back("task");
  co_return Result<void>();
}

// A task resumed by a library has no turn: its deferred work runs all the same.
TEST(Loop, RunsWhatATaskDefers) {
  Loop loop;
  std::vector<std::string> order;
  loop.spawn(defer_in_task(loop, order), [&](Result<void>) { loop.post([&] { loop.stop(); }); });
  loop.run();
  EXPECT_THAT(order, ElementsAre("task", "deferred"));
}

Task<int> answer(bool good) {
  if (!good) co_return failure(Errc::kNotFound, "no answer");
  co_return 42;
}
Task<void> ask(bool good, int& got) {
  CO_TRY(got, co_await answer(good));
  co_return Result<void>();
}
Task<void> throws() {
  throw std::runtime_error("thrown");
  co_return Result<void>();
}

TEST(Loop, SpawnsTasksAndTellsTheirOutcome) {
  Loop loop;
  int got = 0;
  std::vector<Result<void>> outcomes;
  auto keep = [&](Result<void> result) {
    EXPECT_TRUE(loop.on_this_loop());
    outcomes.push_back(std::move(result));
    if (outcomes.size() == 3) loop.stop();
  };
  loop.spawn(ask(true, got), keep);
  loop.spawn(ask(false, got), keep);
  loop.spawn(throws(), keep);
  loop.run();
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_TRUE(outcomes[0]);
  EXPECT_EQ(got, 42);
  EXPECT_EQ(outcomes[1].error().code(), Errc::kNotFound);
  EXPECT_EQ(outcomes[2].error().code(), Errc::kInternal);
  EXPECT_EQ(outcomes[2].error().message(), "thrown");
}

TEST(Loop, AHandlerThatThrowsEndsAlone) {
  Loop loop;
  ::testing::internal::CaptureStderr();
  bool later = false;
  loop.post([] { throw std::runtime_error("first handler"); });
  loop.post([&] {
    later = true;
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(later);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("first handler"));
}

// Many threads post to one loop: each piece of work runs once, on the loop.
TEST(Loop, TakesPostsFromAnyThread) {
  constexpr int kThreads = 4;
  constexpr int kEach = 1000;
  Loops loops({.count = 1});
  Loop& loop = loops[0];
  int ran = 0;  // The loop's own: no atomic.
  std::promise<void> all;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        loop.post([&] {
          if (++ran == kThreads * kEach) all.set_value();
        });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(all.get_future().wait_for(20s), std::future_status::ready);
}

TEST(Loop, ReadsTheClockOnceATurn) {
  Loop loop;
  run(loop, [&] {
    auto before = loop.now();
    auto spin_until = Deadline::Clock::now() + 1ms;
    while (Deadline::Clock::now() < spin_until) continue;
    EXPECT_EQ(loop.now(), before);
    loop.post([&loop, before] {
      EXPECT_GE(loop.now() - before, 1ms);
      loop.stop();
    });
  });
}

// Timers fire in the order of their deadlines, none before its time.
TEST(Timer, FiresInOrderAndNeverEarly) {
  Loop loop;
  std::vector<int> order;
  auto start = Deadline::Clock::now();
  auto timer = [&](int ms) {
    return std::make_unique<Timer>(loop, [&, ms] {
      EXPECT_GE(Deadline::Clock::now() - start, std::chrono::milliseconds(ms));
      order.push_back(ms);
      if (order.size() == 3) loop.stop();
    });
  };
  auto slow = timer(60);
  auto fast = timer(5);
  auto middle = timer(30);
  run(loop, [&] {
    slow->arm(Deadline::at(start + 60ms));
    fast->arm(Deadline::at(start + 5ms));
    middle->arm(Deadline::at(start + 30ms));
    EXPECT_EQ(loop.timers().armed(), 3u);
  });
  EXPECT_THAT(order, ElementsAre(5, 30, 60));
  EXPECT_EQ(loop.timers().armed(), 0u);
}

// A deadline that passed long ago fires at the next tick, one that never comes is not armed.
TEST(Timer, TakesDeadlinesAtBothEnds) {
  Loop loop;
  bool fired = false;
  Timer past(loop, [&] {
    fired = true;
    loop.stop();
  });
  Timer never(loop, [] { FAIL(); });
  run(loop, [&] {
    never.arm(Deadline::never());
    EXPECT_FALSE(never.armed());
    past.arm(Deadline::after(-1h));
  });
  EXPECT_TRUE(fired);
}

// Beyond one revolution of the wheel (5.12 s) a timer stays put while its slot goes by; a nearer
// one armed later is not held up by it.
TEST(Timer, KeepsWhatIsRevolutionsAway) {
  Loop loop;
  Timer far(loop, [] { FAIL(); });
  int rounds = 0;
  Timer near(loop, [] {});
  std::unique_ptr<Timer> again;
  again = std::make_unique<Timer>(loop, [&] {
    if (++rounds == 5) return loop.stop();
    again->arm(Deadline::after(1ms));
  });
  run(loop, [&] {
    // The same slot as one tick from now, one revolution later.
    far.arm(Deadline::after(512 * kTimerTick + kTimerTick));
    again->arm(Deadline::after(1ms));
  });
  EXPECT_EQ(rounds, 5);
  EXPECT_TRUE(far.armed());
}

TEST(Timer, DisarmsRearmsAndDestroysItselfAsItFires) {
  Loop loop;
  Timer disarmed(loop, [] { FAIL(); });
  auto doomed = std::make_unique<Timer>(loop, [] { FAIL(); });
  std::unique_ptr<Timer> own;
  own = std::make_unique<Timer>(loop, [&, kept = std::string(100, 'x')] {
    own.reset();
    EXPECT_EQ(kept, std::string(100, 'x'));
    disarmed.disarm();
    doomed.reset();
    loop.post([&] { loop.stop(); });
  });
  run(loop, [&] {
    Deadline same = Deadline::after(5ms);
    own->arm(same);  // Armed first, so it fires before the two with the same deadline.
    disarmed.arm(same);
    doomed->arm(same);
  });
  EXPECT_EQ(own, nullptr);
  EXPECT_FALSE(disarmed.armed());
  EXPECT_EQ(loop.timers().armed(), 0u);
}

// A thousand timers armed, moved and disarmed at random: exactly those that stayed armed fire,
// once, not early.
TEST(Timer, SurvivesRandomUse) {
  Loop loop;
  auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  struct Entry {
    std::unique_ptr<Timer> timer;
    Deadline due = Deadline::never();
    int fired = 0;
  };
  std::vector<Entry> entries(1000);
  Timer end(loop, [&] { loop.stop(); });
  for (auto& entry : entries) {
    entry.timer = std::make_unique<Timer>(loop, [&entry] {
      ++entry.fired;
      EXPECT_TRUE(entry.due.passed());
    });
  }
  run(loop, [&] {
    for (int step = 0; step < 5000; ++step) {
      Entry& entry = entries[random() % entries.size()];
      entry.due = random() % 4 == 0 ? Deadline::never()
                                    : Deadline::after(std::chrono::milliseconds(random() % 150));
      if (entry.due.is_never()) entry.timer->disarm();
      entry.timer->arm(entry.due);
    }
    end.arm(Deadline::after(200ms));
  });
  for (auto& entry : entries) EXPECT_EQ(entry.fired, entry.due.is_never() ? 0 : 1);
}

TEST(Gate, LetsNobodyInOnceClosed) {
  Gate gate;
  {
    auto pass = gate.enter();
    ASSERT_TRUE(pass);
    EXPECT_EQ(gate.inside(), 1u);
    gate.close();
    EXPECT_FALSE(gate.enter());
    auto waited = gate.close_and_wait(Deadline::after(1ms));
    ASSERT_FALSE(waited);
    EXPECT_EQ(waited.error().code(), Errc::kTimeout);
    EXPECT_THAT(waited.error().message(), HasSubstr("1 still at work"));
  }
  EXPECT_TRUE(gate.close_and_wait(Deadline::after(20s)));
}

// The waiter is let go by the last one that leaves, on another thread.
TEST(Gate, WaitsForTheLast) {
  Gate gate;
  auto first = gate.enter();
  auto second = gate.enter();
  std::atomic<int> left = 0;
  std::thread leaver([&, first = std::move(first), second = std::move(second)]() mutable {
    while (!gate.closed()) std::this_thread::yield();
    ++left;
    first.reset();
    ++left;
    second.reset();
  });
  EXPECT_TRUE(gate.close_and_wait(Deadline::never()));
  EXPECT_EQ(left, 2);
  leaver.join();
}

// Beyond its bound the pool refuses; what it took finishes, and answers come back on the loop.
TEST(Pool, RefusesBeyondItsBoundAndAnswersOnTheLoop) {
  Loops loops({.count = 1});
  Pool pool({.threads = 1, .waiting_max = 2});
  std::latch begun(1);
  std::latch release(1);
  ASSERT_TRUE(pool.submit([&] {
    begun.count_down();
    release.wait();
  }));
  begun.wait();
  std::promise<bool> on_loop;
  bool worked = false;
  ASSERT_TRUE(pool.submit(
      loops[0], [&] { worked = true; },
      [&] { on_loop.set_value(worked && loops[0].on_this_loop()); }));
  std::atomic<int> ran = 0;
  ASSERT_TRUE(pool.submit([&] { ++ran; }));
  auto refused = pool.submit([&] { ++ran; });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::kLimit);
  release.count_down();
  EXPECT_TRUE(on_loop.get_future().get());
  pool.stop();
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(pool.submit([] {}).error().code(), Errc::kUnavailable);
}

TEST(Pool, WorkThatThrowsEndsAlone) {
  ::testing::internal::CaptureStderr();
  bool ran = false;
  {
    Pool pool({.threads = 1});
    ASSERT_TRUE(pool.submit([] { throw std::runtime_error("bad work"); }));
    ASSERT_TRUE(pool.submit([&] { ran = true; }));
  }
  EXPECT_TRUE(ran);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("bad work"));
}

}  // namespace
}  // namespace weft
