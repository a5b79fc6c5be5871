// Shows how counts are kept and added up: buckets and quantiles of times, sums over loops, and the
// bound on labels.

#include "observe/metrics.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>

namespace weft {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

LatencyTotal total_of(const Latency& latency) {
  LatencyTotal total;
  total.add(latency);
  return total;
}

TEST(Latency, BoundsRise) {
  EXPECT_EQ(kLatencyBounds.front(), 10'000U);
  EXPECT_EQ(kLatencyBounds.back(), 50'000'000'000U);
  for (std::size_t i = 1; i < kLatencyBounds.size(); ++i) {
    EXPECT_LT(kLatencyBounds[i - 1], kLatencyBounds[i]);
  }
}

// Every time lies in the first bucket whose bound it does not pass, at the bounds as well.
TEST(Latency, PutsEachTimeIntoItsBucket) {
  for (std::uint64_t bound : kLatencyBounds) {
    for (std::uint64_t time : {bound - 1, bound, bound + 1}) {
      Latency latency;
      latency.observe(nanoseconds(time));
      std::size_t wanted = 0;
      while (wanted < kLatencyBounds.size() && time > kLatencyBounds[wanted]) ++wanted;
      EXPECT_EQ(latency.bucket(wanted), 1U) << time;
      EXPECT_EQ(total_of(latency).count(), 1U) << time;
    }
  }
}

TEST(Latency, TakesWhatIsOutOfBounds) {
  Latency latency;
  latency.observe(nanoseconds(-5));
  latency.observe(nanoseconds(0));
  latency.observe(std::chrono::hours(10));
  EXPECT_EQ(latency.bucket(0), 2U);
  EXPECT_EQ(latency.bucket(kLatencyBuckets - 1), 1U);
}

TEST(Latency, QuantilesLieWithinTheirBucket) {
  Latency latency;
  for (int i = 0; i < 90; ++i) latency.observe(microseconds(40));
  for (int i = 0; i < 10; ++i) latency.observe(milliseconds(4));
  LatencyTotal total = total_of(latency);
  EXPECT_GT(total.quantile(0.5), 30'000);
  EXPECT_LE(total.quantile(0.5), 50'000);
  EXPECT_GT(total.quantile(0.99), 3'000'000);
  EXPECT_LE(total.quantile(0.99), 5'000'000);
  EXPECT_EQ(LatencyTotal().quantile(0.5), 0);
}

TEST(Latency, TellsWhatCameSince) {
  Latency latency;
  latency.observe(milliseconds(1));
  LatencyTotal before = total_of(latency);
  latency.observe(milliseconds(100));
  LatencyTotal since = total_of(latency).since(before);
  EXPECT_EQ(since.count(), 1U);
  EXPECT_EQ(since.sum_ns, 100'000'000U);
}

// Two loops count on threads of their own while a third reads: in the end nothing is missing.
TEST(LoopMetrics, AddsUpOverLoops) {
  LoopMetrics loops[2];
  constexpr int kEach = 100'000;
  std::vector<std::thread> threads;
  for (LoopMetrics& loop : loops) {
    threads.emplace_back([&loop] {
      RouteMeter& meter = loop.route("shop", "cart", "/cart/...");
      for (int i = 0; i < kEach; ++i) {
        meter.begun.add();
        meter.answered[2].add();
        meter.time.observe(microseconds(i));
      }
    });
  }
  auto read = [&] {
    Totals totals;
    for (const LoopMetrics& loop : loops) loop.add_to(totals);
    return totals.all_routes();
  };
  for (int i = 0; i < 100; ++i) {
    RouteTotal total = read();
    EXPECT_LE(total.ended(), total.begun);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(read().answered[2], 2U * kEach);
  EXPECT_EQ(read().time.count(), 2U * kEach);
  EXPECT_EQ(read().in_flight(), 0U);
}

TEST(LoopMetrics, TheSameLabelsAreTheSameMeter) {
  LoopMetrics loop;
  EXPECT_EQ(&loop.component("a", "b"), &loop.component("a", "b"));
  EXPECT_NE(&loop.component("a", "b"), &loop.component("b", "a"));
}

TEST(LoopMetrics, CountsTooManyLabelsTogether) {
  LoopMetrics loop;
  for (std::size_t i = 0; i < 2 * kComponentsMax; ++i) {
    loop.component("app", fmt::format("c{}", i)).traps.add();
  }
  Totals totals;
  loop.add_to(totals);
  EXPECT_EQ(totals.components.size(), kComponentsMax);
  const ComponentTotal& other =
      totals.components.at({std::string(kOtherLabel), std::string(kOtherLabel)});
  EXPECT_EQ(other.traps, kComponentsMax + 1);
}

TEST(LoopMetrics, KeepsTheLargestPeak) {
  LoopMetrics loops[2];
  loops[0].component("a", "b").memory_peak.raise(100);
  loops[1].component("a", "b").memory_peak.raise(300);
  loops[1].component("a", "b").memory_peak.raise(200);
  Totals totals;
  for (const LoopMetrics& loop : loops) loop.add_to(totals);
  EXPECT_EQ(totals.components.begin()->second.memory_peak, 300U);
}

}  // namespace
}  // namespace weft
