// Shows that waves are what they are called, the same for one seed and time wherever they are
// asked, and what is said of a list that is wrong.
#include "capabilities/sensor/drivers/simulated/simulated.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace weft::sensor::simulated {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"simulated"};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  return choice;
}

Signal signal(Wave wave) {
  return {.sensor = {"s", "1"}, .wave = wave, .offset = 10, .amplitude = 2, .period = 100s};
}

double at(Wave wave, Instant time, std::uint64_t seed = 1) {
  return value_at(signal(wave), seed, 1s, time);
}

TEST(Waves, AreWhatTheyAreCalled) {
  EXPECT_EQ(at(Wave::kConstant, 33s), 10);
  EXPECT_NEAR(at(Wave::kSine, 0s), 10, 1e-9);
  EXPECT_NEAR(at(Wave::kSine, 25s), 12, 1e-9);
  EXPECT_NEAR(at(Wave::kSine, 175s), 8, 1e-9);
  EXPECT_NEAR(at(Wave::kTriangle, 0s), 10, 1e-9);
  EXPECT_NEAR(at(Wave::kTriangle, 25s), 12, 1e-9);
  EXPECT_NEAR(at(Wave::kTriangle, 50s), 10, 1e-9);
  EXPECT_NEAR(at(Wave::kTriangle, 75s), 8, 1e-9);
  EXPECT_EQ(at(Wave::kSquare, 49s), 12);
  EXPECT_EQ(at(Wave::kSquare, 50s), 8);
}

TEST(Waves, OfChanceAreTheSameForASeedAndStayWithinTheirAmplitude) {
  for (Wave wave : {Wave::kNoise, Wave::kWalk}) {
    double least = 100;
    double most = 0;
    int differ = 0;
    for (auto time = 1'700'000'000s; time < 1'700'003'000s; time += 1s) {
      double value = at(wave, time);
      EXPECT_EQ(value, at(wave, time));
      differ += value != at(wave, time, 2) ? 1 : 0;
      least = std::min(least, value);
      most = std::max(most, value);
      // A walk has no jumps.
      if (wave == Wave::kWalk) EXPECT_LT(std::abs(value - at(wave, time + 100ms)), 0.5);
    }
    EXPECT_GE(least, 8);
    EXPECT_LE(most, 12);
    EXPECT_GT(most - least, 1);
    EXPECT_GT(differ, 2'900);
  }
  // Noise changes once a step.
  EXPECT_EQ(at(Wave::kNoise, 5s), at(Wave::kNoise, 5'999ms));
  EXPECT_NE(at(Wave::kNoise, 5s), at(Wave::kNoise, 6s));
}

TEST(Dropouts, AreAsOftenAsTheyAreToBe) {
  Instant now = 1'700'000'000s;
  Settings settings{.signals = {signal(Wave::kSine)}, .now = [&now] { return now; }};
  settings.signals[0].dropout = 0.25;
  auto simulated = probe(settings);
  int bad = 0;
  for (int i = 0; i < 4'000; ++i, now += 1s) {
    auto measurement = simulated->read("s");
    ASSERT_TRUE(measurement.has_value());
    EXPECT_EQ(measurement->time, now);
    if (measurement->quality == Quality::kGood) continue;
    EXPECT_EQ(measurement->quality, Quality::kBad);
    EXPECT_TRUE(std::isnan(measurement->value));
    ++bad;
  }
  EXPECT_GT(bad, 800);
  EXPECT_LT(bad, 1'200);
  EXPECT_EQ(simulated->read("other").error().code(), Errc::kNotFound);
}

TEST(SimulatedSettings, AreRead) {
  auto settings = read_settings(choice(
      {{"sensors", "a: wave=square offset=1 amplitude=-2 period=10s dropout=0.5 unit=Cel\nb:"},
       {"seed", "7"},
       {"every", "50ms"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  ASSERT_EQ(settings->signals.size(), 2U);
  EXPECT_EQ(settings->signals[0].wave, Wave::kSquare);
  EXPECT_EQ(settings->signals[0].period, 10s);
  EXPECT_EQ(settings->signals[0].amplitude, -2);
  EXPECT_EQ(settings->signals[0].sensor.unit, "Cel");
  EXPECT_EQ(settings->signals[1].wave, Wave::kSine);
  EXPECT_EQ(settings->seed, 7U);
  EXPECT_EQ(settings->every, 50ms);
  // What there is where nobody says anything.
  EXPECT_EQ(read_settings({})->signals.size(), 4U);
}

TEST(SimulatedSettings, SayWhatIsWrong) {
  for (auto [sensors, what] : {std::pair{"a: wave=saw", "constant, sine"},
                               {"a: offset=warm", "no number"},
                               {"a: offset=inf", "no number"},
                               {"a: period=0s", "1ms"},
                               {"a: period=long", "1ms"},
                               {"a: dropout=2", "from 0 to 1"}}) {
    auto settings = read_settings(choice({{"sensors", sensors}}));
    ASSERT_FALSE(settings.has_value()) << sensors;
    EXPECT_THAT(settings.error().message(), HasSubstr(what));
  }
  EXPECT_THAT(read_settings(choice({{"seed", "x"}})).error().message(), HasSubstr("seed"));
}

}  // namespace
}  // namespace weft::sensor::simulated
