// Shows what is said of a trigger and of an operator's table before anything runs.
#include "capabilities/cron/cron.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/lock/drivers/table.h"

namespace weft::cron {
namespace {

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
        {TriggerSettings{{{"schedule", "@daily"}, {"missed", "some"}}}, "\"once\""},
        {TriggerSettings{{{"schedule", "@daily"}, {"overlap", "yes"}}}, "\"wait\""},
        {TriggerSettings{{{"schedule", "@daily"}, {"jitter", "61m"}}}, "1h at most"},
        {TriggerSettings{{{"schedule", "@daily"}, {"store", "shared"}}}, "uses.cron"}}) {
    auto checked = table.check_trigger({}, settings);
    ASSERT_FALSE(checked.has_value()) << what;
    EXPECT_THAT(checked.error().message(), HasSubstr(what));
  }
  EXPECT_TRUE(
      table.check_trigger({.names = {"shared"}}, {{{"schedule", "@daily"}, {"store", "shared"}}})
          .has_value());
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
