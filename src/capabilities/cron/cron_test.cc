// Shows what is said of a trigger and of an operator's table before anything runs.
#include "capabilities/cron/cron.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/lock/drivers/table.h"

namespace weft::cron {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

CronCapability capability() {
  return CronCapability(
      std::make_unique<Backend>(lock::memory_backend(), keyvalue::memory_backend()));
}

TEST(CronSettings, AreRead) {
  auto options = read_trigger({{{"schedule", "0 3 * * *"},
                                {"time-zone", "Europe/Berlin"},
                                {"jitter", "1500ms"},
                                {"missed", "all"},
                                {"overlap", "run"}}});
  ASSERT_TRUE(options.has_value()) << options.error().message();
  EXPECT_EQ(options->jitter, std::chrono::milliseconds(1500));
  EXPECT_EQ(options->missed, Missed::kAll);
  EXPECT_TRUE(options->overlap);
  auto least = read_trigger({{{"schedule", "@daily"}}});
  ASSERT_TRUE(least.has_value());
  EXPECT_EQ(least->missed, Missed::kSkip);
  EXPECT_FALSE(least->overlap);
  // The calendar is the system's.
  EXPECT_GT(least->now().time_since_epoch(), std::chrono::hours(24 * 365 * 50));
}

TEST(CronSettings, SayWhatIsWrong) {
  auto table = capability();
  for (auto [settings, what] :
       {std::pair{TriggerSettings{}, "0 fields"},
        {TriggerSettings{{{"schedule", "0 25 * * *"}}}, "no hour"},
        {TriggerSettings{{{"schedule", "0 0 30 2 *"}}}, "never comes"},
        {TriggerSettings{{{"schedule", std::string(101, '*')}}}, "100 bytes"},
        {TriggerSettings{{{"schedule", "@daily"}, {"time-zone", "Moon/Base"}}}, "Moon/Base"},
        {TriggerSettings{{{"schedule", "every 6h"}, {"time-zone", "Asia/Tokyo"}}},
         "leave time-zone"},
        {TriggerSettings{{{"schedule", "@daily"}, {"missed", "some"}}}, "\"once\""},
        {TriggerSettings{{{"schedule", "@daily"}, {"overlap", "yes"}}}, "\"wait\""},
        {TriggerSettings{{{"schedule", "@daily"}, {"jitter", "61m"}}}, "1h at most"},
        {TriggerSettings{{{"schedule", "@daily"}, {"store", "shared"}}}, "uses.cron"}}) {
    auto problems = table.check_trigger({}, settings);
    ASSERT_EQ(problems.size(), 1U) << what;
    EXPECT_THAT(problems[0].found + ": " + problems[0].write, HasSubstr(what));
  }
  EXPECT_TRUE(
      table.check_trigger({.names = {"shared"}}, {{{"schedule", "@daily"}, {"store", "shared"}}})
          .empty());
}

TEST(CronSettings, AllThatIsWrongIsToldByItsKey) {
  auto problems = capability().check_trigger({}, {{{"schedule", "@reboot"},
                                                   {"time-zone", "Moon/Base"},
                                                   {"missed", "some"},
                                                   {"overlap", "yes"},
                                                   {"store", "shared"}}});
  std::vector<std::string> keys;
  for (const TriggerProblem& each : problems) keys.push_back(each.key);
  EXPECT_THAT(keys, ElementsAre("store", "schedule", "time-zone", "missed", "overlap"));
}

TEST(CronSettings, JitterEndsBeforeTheNextRun) {
  auto jitter = [](const char* schedule, const char* time) {
    return capability().check_trigger({}, {{{"schedule", schedule}, {"jitter", time}}}).empty();
  };
  EXPECT_TRUE(jitter("every 10s", "10s"));
  EXPECT_FALSE(jitter("every 10s", "11s"));
  EXPECT_TRUE(jitter("@daily", "1h"));
  EXPECT_TRUE(jitter("0,30 8 * * *", "30m"));
  EXPECT_FALSE(jitter("0,30 8 * * *", "31m"));
  EXPECT_FALSE(jitter("50,10 * * * *", "21m"));
  EXPECT_TRUE(jitter("0 0 29 2 *", "1h"));
}

TEST(CronSettings, OfOneComponentHaveTwoSchedules) {
  using Wake = TriggerPair::Wake;
  auto table = capability();
  TriggerSettings one{{{"schedule", "0 3 * * *"}, {"time-zone", "Europe/Berlin"}}};
  TriggerSettings zone{{{"schedule", "0 3 * * *"}, {"time-zone", "Asia/Tokyo"}}};
  TriggerSettings store{{{"schedule", "0 3 * * *"}, {"store", "shared"}}};
  TriggerSettings other{{{"schedule", "0 4 * * *"}}};
  EXPECT_TRUE(table.check_beside({one, zone, Wake::kOneComponent}).has_value());
  EXPECT_FALSE(table.check_beside({one, zone, Wake::kTwo}).has_value());
  EXPECT_FALSE(table.check_beside({one, store, Wake::kOneComponent}).has_value());
  EXPECT_FALSE(table.check_beside({one, other, Wake::kOneComponent}).has_value());
}

TEST(CronDrivers, AreChecked) {
  auto table = capability();
  EXPECT_TRUE(table.check({"embedded"}).has_value());
  EXPECT_FALSE(table.check({"redis"}).has_value());
  EXPECT_TRUE(table.check({"redis", {{"url", Secret("redis://x")}}}).has_value());
  EXPECT_TRUE(table.check({"etcd", {{"url", Secret("http://x")}}}).has_value());
  EXPECT_TRUE(table.check({"nats", {{"url", Secret("nats://x")}}}).has_value());
  EXPECT_FALSE(table.check({"paper"}).has_value());
}

}  // namespace
}  // namespace weft::cron
