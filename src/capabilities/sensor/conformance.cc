// Shows for every driver that its sensors are listed, read and watched as source.h says.
#include "capabilities/sensor/conformance.h"

#include <algorithm>
#include <cmath>

namespace weft::sensor {
namespace {

TEST_P(Conformance, SensorsAreListedInOrderWithTheirUnits) {
  auto all = await(loop_, source_->list(soon()));
  ASSERT_TRUE(all.has_value()) << all.error().message();
  EXPECT_GE(all->size(), 2U);
  EXPECT_TRUE(std::ranges::is_sorted(*all, {}, &SensorInfo::name));
  for (const SensorInfo& each : *all) {
    EXPECT_TRUE(check_name("space/" + each.name).has_value()) << each.name;
    EXPECT_FALSE(each.unit.empty()) << each.name;
    EXPECT_LE(each.unit.size(), kUnitBytesMax);
  }
  for (const std::string& name : {GetParam().one, GetParam().other}) {
    EXPECT_NE(std::ranges::find(*all, name, &SensorInfo::name), all->end()) << name;
  }
}

TEST_P(Conformance, OneIsRead) {
  auto all = await(loop_, source_->list(soon()));
  ASSERT_TRUE(all.has_value());
  Instant before = calendar();
  GetParam().stir();
  auto read = await(loop_, source_->read(soon(), GetParam().one));
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(read->sensor, GetParam().one);
  EXPECT_TRUE(std::isfinite(read->value));
  EXPECT_NE(read->quality, Quality::kBad);
  EXPECT_EQ(read->missed, 0U);
  EXPECT_GE(read->time, before);
  EXPECT_LE(read->time, calendar());
  EXPECT_EQ(read->unit, std::ranges::find(*all, GetParam().one, &SensorInfo::name)->unit);
}

TEST_P(Conformance, OneThatIsNotThereIsNotFound) {
  auto read = await(loop_, source_->read(soon(), "no-such-sensor"));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code(), Errc::kNotFound);
}

TEST_P(Conformance, ThoseOfAPatternAreTold) {
  std::vector<Measurement> exact;
  std::vector<Measurement> both;
  bool inside = true;
  auto one = source_->watch(GetParam().one, [&](const Measurement& each) {
    EXPECT_FALSE(inside);
    exact.push_back(each);
  });
  auto any = source_->watch("*", [&](const Measurement& each) { both.push_back(each); });
  inside = false;
  ASSERT_TRUE(one.has_value() && any.has_value());
  auto has = [&](const std::string& name) {
    return std::ranges::find(both, name, &Measurement::sensor) != both.end();
  };
  ASSERT_TRUE(
      until([&] { return exact.size() >= 3 && has(GetParam().one) && has(GetParam().other); }));
  for (std::size_t i = 0; i < exact.size(); ++i) {
    EXPECT_EQ(exact[i].sensor, GetParam().one);
    if (i > 0) EXPECT_GE(exact[i].time, exact[i - 1].time);
  }
}

TEST_P(Conformance, AWatchEndsWithItsObjectAlsoInsideItsTaker) {
  std::unique_ptr<Watching> first;
  std::unique_ptr<Watching> other;
  int calls = 0;
  int others = 0;
  auto end_both = [&](const Measurement&) {
    ++calls;
    first = nullptr;
    other = nullptr;
  };
  first = *source_->watch(GetParam().one, end_both);
  other = *source_->watch("none-is-called-so", [&](const Measurement&) { ++others; });
  int still = 0;
  auto third = source_->watch(GetParam().one, [&](const Measurement&) { ++still; });
  // Who watches keeps the source.
  source_ = nullptr;
  ASSERT_TRUE(until([&] { return still >= 3; }));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(others, 0);
}

TEST_P(Conformance, WatchesAreBounded) {
  std::vector<std::unique_ptr<Watching>> all;
  for (std::size_t i = 0; i < kWatchersMax; ++i) {
    auto watch = source_->watch("nothing", [](const Measurement&) {});
    ASSERT_TRUE(watch.has_value());
    all.push_back(*std::move(watch));
  }
  EXPECT_EQ(source_->watch("x", [](const Measurement&) {}).error().code(), Errc::kLimit);
  all.pop_back();
  EXPECT_TRUE(source_->watch("x", [](const Measurement&) {}).has_value());
}

TEST_P(Conformance, ALoopHasOneSourceWhileItIsUsed) {
  EXPECT_EQ(backend_->source(loop_), source_);
  Loop another;
  auto its = backend_->source(another);
  EXPECT_NE(its, source_);
}

}  // namespace
}  // namespace weft::sensor
