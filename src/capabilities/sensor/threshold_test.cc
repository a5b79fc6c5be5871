// Shows when a sensor counts as beyond a limit and when as back, with and without hysteresis.
#include "capabilities/sensor/threshold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace weft::sensor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// "above 30", and "not above 30" once it has come back.
std::vector<std::string> look(Threshold& threshold, double value, Quality quality = Quality::kGood,
                              std::string sensor = "t") {
  std::vector<std::string> all;
  for (const Crossing& each : threshold.look({std::move(sensor), value, "Cel", {}, quality})) {
    all.push_back((each.beyond ? "" : "not ") +
                  std::string(each.side == Side::kAbove ? "above " : "below ") +
                  std::to_string(static_cast<int>(each.limit)));
  }
  return all;
}

TEST(Thresholds, AreCrossedOnceEachWay) {
  Threshold threshold({.above = 30});
  EXPECT_THAT(look(threshold, 30), IsEmpty());
  EXPECT_THAT(look(threshold, 30.1), ElementsAre("above 30"));
  EXPECT_THAT(look(threshold, 35), IsEmpty());
  EXPECT_THAT(look(threshold, 30), ElementsAre("not above 30"));
  EXPECT_THAT(look(threshold, 29), IsEmpty());
}

TEST(Thresholds, HaveAHysteresis) {
  Threshold threshold({.above = 30, .below = 10, .hysteresis = 2});
  EXPECT_THAT(look(threshold, 31), ElementsAre("above 30"));
  for (double value : {29.0, 30.5, 28.0}) EXPECT_THAT(look(threshold, value), IsEmpty());
  EXPECT_THAT(look(threshold, 27.9), ElementsAre("not above 30"));
  EXPECT_THAT(look(threshold, 9), ElementsAre("below 10"));
  EXPECT_THAT(look(threshold, 12), IsEmpty());
  EXPECT_THAT(look(threshold, 12.1), ElementsAre("not below 10"));
}

TEST(Thresholds, ComeBackBeforeTheOtherSideIsTold) {
  Threshold threshold({.above = 30, .below = 10, .hysteresis = 1});
  EXPECT_THAT(look(threshold, 40), ElementsAre("above 30"));
  EXPECT_THAT(look(threshold, 0), ElementsAre("not above 30", "below 10"));
  EXPECT_THAT(look(threshold, 40), ElementsAre("not below 10", "above 30"));
}

TEST(Thresholds, AreCrossedByNothingThatIsNotTrusted) {
  Threshold threshold({.above = 30});
  EXPECT_THAT(look(threshold, 99, Quality::kBad), IsEmpty());
  EXPECT_THAT(look(threshold, 99, Quality::kStale), IsEmpty());
  EXPECT_THAT(look(threshold, std::numeric_limits<double>::quiet_NaN()), IsEmpty());
  EXPECT_THAT(look(threshold, 99, Quality::kUncertain), ElementsAre("above 30"));
  // Nor does it come back by one that failed.
  EXPECT_THAT(look(threshold, 0, Quality::kBad), IsEmpty());
  EXPECT_THAT(look(threshold, 0), ElementsAre("not above 30"));
}

TEST(Thresholds, AreOfEachSensorAndBounded) {
  Threshold threshold({.above = 30});
  EXPECT_THAT(look(threshold, 31, Quality::kGood, "a"), ElementsAre("above 30"));
  EXPECT_THAT(look(threshold, 31, Quality::kGood, "b"), ElementsAre("above 30"));
  for (std::size_t i = 2; i < kSensorsMax; ++i) {
    look(threshold, 31, Quality::kGood, std::to_string(i));
  }
  EXPECT_THAT(look(threshold, 31, Quality::kGood, "one too many"), IsEmpty());
}

TEST(Thresholds, HaveLimitsThatSomethingLiesBetween) {
  EXPECT_TRUE(check_limits({.above = 30, .below = 10}).has_value());
  EXPECT_THAT(check_limits({.above = 10, .below = 10}).error().message(), HasSubstr("not less"));
  EXPECT_THAT(check_limits({.above = 1, .hysteresis = -1}).error().message(),
              HasSubstr("hysteresis"));
}

}  // namespace
}  // namespace weft::sensor
