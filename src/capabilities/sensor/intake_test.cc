// Shows what waits by each policy, in which order it is taken, and that what is left out is counted
// at the next of its sensor.
#include "capabilities/sensor/intake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>

namespace weft::sensor {
namespace {

using namespace std::chrono_literals;
using Kind = Policy::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Intake::Time kBegin{1'000s};

Measurement of(std::string sensor, double value) {
  return {std::move(sensor), value};
}

// "a=1", or "a=1+3" where three were left out before it.
std::vector<std::string> text(const std::vector<Measurement>& taken) {
  std::vector<std::string> all;
  for (const Measurement& each : taken) {
    all.push_back(each.sensor + "=" + std::to_string(static_cast<int>(each.value)) +
                  (each.missed > 0 ? "+" + std::to_string(each.missed) : ""));
  }
  return all;
}

TEST(Intake, OfTheLatestKeepsTheNewestOfEach) {
  Intake intake({.kind = Kind::kLatest});
  EXPECT_FALSE(intake.due().has_value());
  for (int i = 1; i <= 3; ++i) intake.put(of("a", i));
  intake.put(of("b", 9));
  EXPECT_LE(*intake.due(), kBegin);
  EXPECT_EQ(intake.size(), 2U);
  EXPECT_THAT(text(intake.take(1, kBegin)), ElementsAre("a=3+2"));
  intake.put(of("a", 4));
  EXPECT_THAT(text(intake.take(10, kBegin)), ElementsAre("b=9", "a=4"));
  EXPECT_THAT(intake.take(10, kBegin), IsEmpty());
  EXPECT_FALSE(intake.due().has_value());
}

TEST(Intake, OfAllKeepsTheirOrderAndDropsTheOldest) {
  Intake intake({.kind = Kind::kAll, .most = 3});
  intake.put(of("a", 1));
  intake.put(of("b", 2));
  intake.put(of("a", 3));
  intake.put(of("a", 4));
  intake.put(of("a", 5));
  EXPECT_EQ(intake.size(), 3U);
  EXPECT_THAT(text(intake.take(2, kBegin)), ElementsAre("a=3+1", "a=4"));
  intake.put(of("b", 6));
  EXPECT_THAT(text(intake.take(9, kBegin)), ElementsAre("a=5", "b=6+1"));
}

TEST(Intake, OfSamplesGivesEachSensorOnceAnInterval) {
  Intake intake({.kind = Kind::kSample, .every = 10s});
  intake.put(of("a", 1));
  EXPECT_THAT(text(intake.take(9, kBegin)), ElementsAre("a=1"));
  intake.put(of("a", 2));
  intake.put(of("a", 3));
  intake.put(of("b", 4));
  EXPECT_EQ(intake.due(), kBegin + 10s);
  EXPECT_THAT(intake.take(9, kBegin + 9s), IsEmpty());
  EXPECT_THAT(text(intake.take(1, kBegin + 10s)), ElementsAre("a=3+1"));
  // What is due stays so, though it was not taken at once.
  EXPECT_LE(*intake.due(), kBegin);
  intake.put(of("a", 5));
  EXPECT_THAT(text(intake.take(9, kBegin + 11s)), ElementsAre("b=4"));
  EXPECT_EQ(intake.due(), kBegin + 20s);
  EXPECT_THAT(text(intake.take(9, kBegin + 25s)), ElementsAre("a=5"));
}

TEST(Intake, NeverHoldsMoreThanItsPolicySays) {
  for (Policy policy : {Policy{.kind = Kind::kLatest}, Policy{.kind = Kind::kAll, .most = 50},
                        Policy{.kind = Kind::kSample, .every = 10ms}}) {
    Intake intake(policy);
    std::uint64_t told = 0;
    for (int i = 0; i < 10'000; ++i) {
      intake.put(of(std::to_string(i % 50), i));
      EXPECT_LE(intake.size(), 50U);
      if (i % 100 != 99) continue;
      for (const Measurement& each : intake.take(20, kBegin + i * 1ms)) told += 1 + each.missed;
    }
    while (intake.size() > 0) {
      auto taken = intake.take(20, kBegin + 100s);
      ASSERT_FALSE(taken.empty());
      for (const Measurement& each : taken) told += 1 + each.missed;
    }
    EXPECT_EQ(told, 10'000U) << "each was given or counted";
  }
}

// Who subscribes often and takes nothing fills one room, and each has its newest one still.
TEST(Intake, ManyOfOneComponentHoldNoMoreThanOneRoom) {
  auto room = std::make_shared<Room>();
  std::deque<Intake> intakes;
  for (std::size_t i = 0; i < 2 * Room::kWaitingMax / kAllMax; ++i) {
    Intake& intake = intakes.emplace_back(Policy{.kind = Kind::kAll}, room);
    for (std::size_t k = 0; k < kAllMax; ++k) intake.put(of("a", static_cast<double>(k)));
    EXPECT_GE(intake.size(), 1U);
  }
  EXPECT_LE(room->waiting, Room::kWaitingMax + intakes.size());
  EXPECT_THAT(text(intakes.back().take(1, kBegin)), ElementsAre("a=9999+9999"));
  intakes.pop_front();
  intakes.back().put(of("a", 1));
  intakes.back().put(of("a", 2));
  EXPECT_EQ(intakes.back().size(), 2U);
  intakes.clear();
  EXPECT_EQ(room->waiting, 0U);
}

TEST(Policies, AreRead) {
  EXPECT_EQ(read_policy("latest"), Policy{.kind = Kind::kLatest});
  EXPECT_EQ(read_policy("all"), Policy{.kind = Kind::kAll});
  EXPECT_EQ(read_policy("all 500"), (Policy{.kind = Kind::kAll, .most = 500}));
  EXPECT_EQ(read_policy("sample 10s"), (Policy{.kind = Kind::kSample, .every = 10s}));
  for (auto [text, what] : {std::pair{"", "policy is"},
                            {"latest 3", "policy is"},
                            {"all 0", "1 to 10000"},
                            {"all 10001", "1 to 10000"},
                            {"all x", "1 to 10000"},
                            {"sample 9ms", "10ms to 1h"},
                            {"sample 2h", "10ms to 1h"}}) {
    auto policy = read_policy(text);
    ASSERT_FALSE(policy.has_value()) << text;
    EXPECT_THAT(policy.error().message(), HasSubstr(what));
  }
  EXPECT_FALSE(read_policy("sample soon").has_value());
}

}  // namespace
}  // namespace weft::sensor
