// Shows that no wake is lost and none runs twice for nothing: from the loop, during a poll, from
// other threads, before and after close.

#include "io/wake.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "io/loop.h"

namespace weft {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::Pair;
using Seen = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

// On the loop's thread wakes of one turn coalesce and run as it ends, before what was posted.
TEST(WakeTarget, RunsAtTheEndOfTheTurn) {
  Loop loop;
  Seen seen;
  auto target = WakeTarget::make(loop, [&](std::uint32_t slot, std::uint32_t generation) {
    seen.emplace_back(slot, generation);
  });
  std::size_t seen_at_post = 0;
  loop.post([&] {
    loop.post([&] {
      seen_at_post = seen.size();
      loop.stop();
    });
    target->wake(7, 1);
    target->wake(3, 5);
    target->wake(7, 1);
    EXPECT_TRUE(seen.empty());
  });
  loop.run();
  EXPECT_EQ(seen_at_post, 2u);
  EXPECT_THAT(seen, ElementsAre(Pair(7, 1), Pair(3, 5)));
  target->close();
}

// A late wake of a slot's former user does not displace the wake of its present one, also where the
// number wraps round.
TEST(WakeTarget, KeepsTheYoungestGeneration) {
  Loop loop;
  Seen seen;
  auto target = WakeTarget::make(loop, [&](std::uint32_t slot, std::uint32_t generation) {
    seen.emplace_back(slot, generation);
  });
  loop.post([&] {
    target->wake(0, 2);
    target->wake(0, 1);
    target->wake(1, UINT32_MAX);
    target->wake(1, 0);
    loop.post([&] { loop.stop(); });
  });
  loop.run();
  EXPECT_THAT(seen, ElementsAre(Pair(0, 2), Pair(1, 0)));
  target->close();
}

// A call that wakes itself during its poll is polled again, and what the loop had queued gets its
// turn first; a wake of another call does not wait.
TEST(WakeTarget, AYieldTakesItsTurn) {
  Loop loop;
  std::vector<std::string> order;
  int polls = 0;
  WakeTarget* raw = nullptr;
  auto target = WakeTarget::make(loop, [&](std::uint32_t slot, std::uint32_t generation) {
    WakeTarget::Poll poll(*raw, slot, generation);
    order.push_back(std::to_string(slot));
    if (slot == 0 && ++polls < 3) raw->wake(0, 0);
    if (slot == 0 && polls == 3) loop.stop();
  });
  raw = target.get();
  loop.post([&] {
    loop.post([&] { order.push_back("posted"); });
    {
      WakeTarget::Poll poll(*target, 0, 0);
      target->wake(0, 0);
      target->wake(0, 0);
    }
    EXPECT_TRUE(order.empty());
  });
  loop.run();
  EXPECT_THAT(order, ElementsAre("posted", "0", "0", "0"));
  target->close();
}

// One whose slice is over waits for the loop to have nothing else to do, whoever wakes it
// meanwhile; another one that has its slot by then does not.
TEST(WakeTarget, OneWhoseSliceIsOverWaitsForTheOthers) {
  Loop loop;
  std::vector<std::string> order;
  static bool over;
  over = true;
  WakeTarget* raw = nullptr;
  auto target = WakeTarget::make(
      loop,
      [&](std::uint32_t slot, std::uint32_t generation) {
        order.push_back(fmt::format("{}.{}", slot, generation));
        if (slot == 2) loop.stop();
      },
      [] { return over; });
  raw = target.get();
  loop.post([&] {
    for (std::uint32_t slot : {0u, 1u, 2u}) {
      WakeTarget::Poll poll(*raw, slot, 1);
      raw->wake(slot, 1);
    }
    raw->wake(0, 1);
    raw->wake(1, 2);
    loop.post([&] {
      order.push_back("posted");
      loop.post([&] { order.push_back("posted later"); });
    });
  });
  loop.run();
  EXPECT_THAT(order, ElementsAre("1.2", "posted", "posted later", "0.1", "2.1"));
  target->close();
}

// A wake of the call that had the slot before, which is still on its way, does not swallow the one
// of a call whose slice is over in its first poll.
TEST(WakeTarget, OneWhoseSliceIsOverIsNotLostBehindAnOlderWake) {
  Loop loop;
  Seen seen;
  auto target = WakeTarget::make(
      loop,
      [&](std::uint32_t slot, std::uint32_t generation) {
        seen.emplace_back(slot, generation);
        loop.stop();
      },
      [] { return true; });
  loop.post([&] {
    target->wake(0, 1);
    WakeTarget::Poll poll(*target, 0, 2);
    target->wake(0, 2);
  });
  loop.run();
  EXPECT_THAT(seen, ElementsAre(Pair(0, 2)));
  target->close();
}

// Wakes from four threads, each after a step of work that only the wake makes visible: the handler
// sees the last step of every slot, so none is lost. Runs under TSan as well.
TEST(WakeTarget, LosesNoWakeFromOtherThreads) {
  constexpr std::uint32_t kSlots = 8;
  constexpr int kSteps = 20'000;
  Loops loops({.count = 1});
  std::array<std::atomic<int>, kSlots> steps{};
  std::array<int, kSlots> seen{};
  std::uint64_t calls = 0;
  std::promise<void> all;
  auto target = WakeTarget::make(loops[0], [&](std::uint32_t slot, std::uint32_t) {
    ++calls;
    bool was_done = seen[slot] == kSteps;
    seen[slot] = steps[slot].load();
    if (was_done) return;
    for (int each : seen) {
      if (each != kSteps) return;
    }
    all.set_value();
  });
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kSteps; ++i) {
        for (std::uint32_t slot = t; slot < kSlots; slot += 4) {
          ++steps[slot];
          target->wake(slot, 1);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(all.get_future().wait_for(20s), std::future_status::ready);
  loops.on_each([&](Loop&, std::size_t) {
    EXPECT_LE(calls, std::uint64_t{kSlots} * kSteps);
    target->close();
  });
}

// After close, and after its loop is gone, a wake does nothing; what was posted finds the handler
// closed.
TEST(WakeTarget, IsQuietOnceClosed) {
  int calls = 0;
  std::shared_ptr<WakeTarget> target;
  {
    Loops loops({.count = 1});
    target = WakeTarget::make(loops[0], [&](std::uint32_t, std::uint32_t) { ++calls; });
    loops.on_each([&](Loop&, std::size_t) {
      std::thread([&] { target->wake(1, 1); }).join();
      target->close();
    });
    loops.on_each([](Loop&, std::size_t) {});
    target->wake(1, 1);
  }
  target->wake(2, 2);
  EXPECT_EQ(calls, 0);
}

// The handler may close its own target: the rest of the batch is dropped.
TEST(WakeTarget, MayBeClosedByItsHandler) {
  Loop loop;
  int calls = 0;
  WakeTarget* raw = nullptr;
  auto kept = std::make_shared<int>(1);
  std::weak_ptr<int> watch = kept;
  auto target = WakeTarget::make(loop, [&, kept = std::move(kept)](std::uint32_t, std::uint32_t) {
    raw->close();
    calls += *kept;
    loop.stop();
  });
  raw = target.get();
  loop.post([&] {
    target->wake(0, 0);
    target->wake(1, 0);
  });
  loop.run();
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace weft
