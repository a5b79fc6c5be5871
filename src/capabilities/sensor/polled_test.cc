// Shows what becomes of sensors that are asked in rounds: one that fails, goes or does not answer,
// and that nobody is asked when nobody wants to know. And that a feed holds what its policy says
// while nobody takes it.
#include "capabilities/sensor/polled.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <mutex>

#include "capabilities/keyvalue/testing.h"
#include "capabilities/sensor/feed.h"
#include "io/loop.h"

namespace weft::sensor {
namespace {

using namespace std::chrono_literals;
using keyvalue::await;

// Sensors that a test makes, and that answer as it says.
class MadeProbe final : public Probe {
 public:
  Result<std::vector<SensorInfo>> list() override {
    std::unique_lock hold(mutex_);
    ++rounds;
    changed_.wait(hold, [&] { return !stuck_; });
    std::vector<SensorInfo> all;
    for (const auto& [name, value] : values_) all.push_back({name, "1"});
    return all;
  }
  Result<Measurement> read(const std::string& sensor) override {
    std::unique_lock hold(mutex_);
    changed_.wait(hold, [&] { return !stuck_; });
    auto found = values_.find(sensor);
    if (found == values_.end()) return failure(Errc::kNotFound, "gone");
    if (!found->second) return failure(Errc::kUnavailable, "it fails");
    return Measurement{sensor, *found->second, "1", calendar()};
  }
  void set(const std::string& sensor, std::optional<double> value) {
    std::lock_guard hold(mutex_);
    values_[sensor] = value;
  }
  void remove(const std::string& sensor) {
    std::lock_guard hold(mutex_);
    values_.erase(sensor);
  }
  void stick(bool stuck) {
    std::lock_guard hold(mutex_);
    stuck_ = stuck;
    changed_.notify_all();
  }

  std::atomic<int> rounds = 0;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::optional<double>> values_;
  bool stuck_ = false;
};

class Polled : public ::testing::TestWithParam<PolledBackend::Speed> {
 protected:
  Polled() {
    probe_->set("a", 1);
    probe_->set("b", 2);
  }
  ~Polled() override {
    probe_->stick(false);
    watch_ = nullptr;
    source_ = nullptr;
  }
  void watch(const std::string& pattern) {
    watch_ = *source_->watch(pattern, [&](const Measurement& each) { told_.push_back(each); });
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
  bool told(const std::string& sensor, Quality quality) {
    told_.clear();
    return until([&] {
      return std::ranges::any_of(told_, [&](const Measurement& each) {
        return each.sensor == sensor && each.quality == quality;
      });
    });
  }

  std::shared_ptr<MadeProbe> probe_ = std::make_shared<MadeProbe>();
  Loop loop_;  // Outlives the backend, whose answers are posted to it.
  PolledBackend backend_{probe_, 10ms, GetParam()};
  std::shared_ptr<Source> source_ = backend_.source(loop_);
  std::unique_ptr<Watching> watch_;
  std::vector<Measurement> told_;
};

TEST_P(Polled, OneThatFailsIsBadUntilItDoesNot) {
  watch("*");
  ASSERT_TRUE(told("a", Quality::kGood));
  probe_->set("a", std::nullopt);
  ASSERT_TRUE(told("a", Quality::kBad));
  ASSERT_TRUE(told("b", Quality::kGood));
  probe_->set("a", 3);
  ASSERT_TRUE(told("a", Quality::kGood));
}

TEST_P(Polled, OneThatGoesIsBadOnce) {
  watch("*");
  ASSERT_TRUE(told("a", Quality::kGood));
  probe_->remove("a");
  ASSERT_TRUE(told("a", Quality::kBad));
  told_.clear();
  ASSERT_TRUE(until([&] { return told_.size() >= 5; }));
  for (const Measurement& each : told_) EXPECT_EQ(each.sensor, "b");
  EXPECT_EQ(await(loop_, source_->read({loop_, Deadline::after(20s)}, "a")).error().code(),
            Errc::kNotFound);
  probe_->set("a", 4);
  ASSERT_TRUE(told("a", Quality::kGood));
}

TEST_P(Polled, NobodyIsAskedWhenNobodyWantsToKnow) {
  EXPECT_EQ(probe_->rounds, 0);
  watch("a");
  ASSERT_TRUE(told("a", Quality::kGood));
  watch_ = nullptr;
  // The round that may be under way, and the one that finds nobody.
  EXPECT_TRUE(until([&] {
    int rounds = probe_->rounds;
    until([run = 0]() mutable { return ++run > 20; });
    return probe_->rounds == rounds;
  }));
  watch("a");
  ASSERT_TRUE(told("a", Quality::kGood));
}

TEST_P(Polled, AFeedOfWhichNothingIsTakenHoldsWhatItsPolicySays) {
  int news = 0;
  auto feed =
      Feed::open(loop_, *source_, "space/*", {.kind = Policy::Kind::kLatest}, [&] { ++news; });
  ASSERT_TRUE(feed.has_value());
  watch("*");
  ASSERT_TRUE(until([&] { return told_.size() >= 20; }));
  EXPECT_GT(news, 0);
  EXPECT_EQ((*feed)->waiting(), 2U);
  auto taken = (*feed)->take(10);
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].sensor, "space/a");
  EXPECT_GE(taken[0].missed, 5U);
  EXPECT_FALSE((*feed)->any());
}

TEST_P(Polled, AFeedOfSamplesTellsOfThemInTheirTime) {
  int news = 0;
  auto feed = Feed::open(loop_, *source_, "space/a",
                         {.kind = Policy::Kind::kSample, .every = 200ms}, [&] { ++news; });
  ASSERT_TRUE(until([&] { return (*feed)->any(); }));
  auto begin = Deadline::Clock::now();
  EXPECT_EQ((*feed)->take(10).size(), 1U);
  ASSERT_TRUE(until([&] { return (*feed)->any(); }));
  EXPECT_GE(Deadline::Clock::now() - begin, 200ms);
  int before = news;
  ASSERT_TRUE(until([&] { return news > before; }));
  EXPECT_GT((*feed)->take(10).at(0).missed, 0U);
}

INSTANTIATE_TEST_SUITE_P(probe, Polled,
                         ::testing::Values(PolledBackend::Speed::kAtOnce,
                                           PolledBackend::Speed::kBlocks),
                         [](const auto& speed) {
                           return speed.param == PolledBackend::Speed::kAtOnce ? "at_once"
                                                                               : "blocks";
                         });

TEST(Stuck, ASensorThatDoesNotAnswerIsATimeoutAndHoldsUpNoLoop) {
  auto probe = std::make_shared<MadeProbe>();
  probe->set("a", 1);
  probe->stick(true);
  Loop loop;
  PolledBackend backend(probe, 10ms, PolledBackend::Speed::kBlocks);
  auto source = backend.source(loop);
  auto read = await(loop, source->read({loop, Deadline::after(50ms)}, "a"));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code(), Errc::kTimeout);
  probe->stick(false);
  EXPECT_TRUE(await(loop, source->read({loop, Deadline::after(20s)}, "a")).has_value());
}

}  // namespace
}  // namespace weft::sensor
