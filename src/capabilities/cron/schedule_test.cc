// Shows which times an expression names, also over changes of clocks in both directions.
#include "capabilities/cron/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "base/check.h"

namespace weft::cron {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Texts = std::vector<std::string>;

// "2026-11-26 18:30", in UTC, and back.
sys_seconds at(const char* text) {
  int year, month, day, hour, minute;
  CHECK(std::sscanf(text, "%d-%d-%d %d:%d", &year, &month, &day, &hour, &minute) == 5);
  return std::chrono::sys_days(std::chrono::year(year) / month / day) + std::chrono::hours(hour) +
         std::chrono::minutes(minute);
}
std::string text_of(sys_seconds when) {
  auto day = std::chrono::floor<std::chrono::days>(when);
  std::chrono::year_month_day date(day);
  auto minutes = (when - day).count() / 60;
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u %02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(minutes / 60), static_cast<int>(minutes % 60));
  return text;
}

Schedule parse(std::string_view text) {
  auto schedule = Schedule::parse(text);
  EXPECT_TRUE(schedule.has_value()) << schedule.error().message();
  return schedule.value_or(Schedule());
}
Zone berlin() {
  return Zone::find("Europe/Berlin").value();
}

// The first `count` times after that.
Texts next(std::string_view text, const char* after, int count, const Zone& zone = Zone::utc()) {
  Schedule schedule = parse(text);
  Texts times;
  sys_seconds when = at(after);
  for (int i = 0; i < count; ++i) {
    auto time = schedule.next(zone, when);
    if (!time) break;
    EXPECT_GT(*time, when);
    // Seen from behind it is the same.
    EXPECT_THAT(schedule.last(zone, when, *time, 5), ElementsAre(*time));
    times.push_back(text_of(*time));
    when = *time;
  }
  return times;
}

TEST(Schedules, OfFiveFields) {
  EXPECT_THAT(next("30 2 * * *", "2026-11-26 02:30", 2),
              ElementsAre("2026-11-27 02:30", "2026-11-28 02:30"));
  EXPECT_THAT(next("*/20 8-9 * * *", "2026-11-26 08:10", 6),
              ElementsAre("2026-11-26 08:20", "2026-11-26 08:40", "2026-11-26 09:00",
                          "2026-11-26 09:20", "2026-11-26 09:40", "2026-11-27 08:00"));
  EXPECT_THAT(
      next("5,10/30 0 1 JAN,jul *", "2026-11-26 00:00", 4),
      ElementsAre("2027-01-01 00:05", "2027-01-01 00:10", "2027-01-01 00:40", "2027-07-01 00:05"));
  // A Friday, and the weekend behind it.
  EXPECT_THAT(
      next("0 12 * * fri-sun", "2026-11-26 00:00", 4),
      ElementsAre("2026-11-27 12:00", "2026-11-28 12:00", "2026-11-29 12:00", "2026-12-04 12:00"));
  EXPECT_EQ(next("0 0 * * 0", "2026-11-26 00:00", 3), next("0 0 * * 7", "2026-11-26 00:00", 3));
  // Either day, where both are named.
  EXPECT_THAT(next("0 0 1 * mon", "2026-11-26 00:00", 3),
              ElementsAre("2026-11-30 00:00", "2026-12-01 00:00", "2026-12-07 00:00"));
  EXPECT_THAT(next("0 0 29 2 *", "2026-11-26 00:00", 2),
              ElementsAre("2028-02-29 00:00", "2032-02-29 00:00"));
  EXPECT_THAT(next("0 0 31 * *", "2026-11-26 00:00", 2),
              ElementsAre("2026-12-31 00:00", "2027-01-31 00:00"));
  EXPECT_THAT(next("0 0 30 2 *", "2026-11-26 00:00", 1), ElementsAre());
  EXPECT_THAT(next(" @Daily ", "2026-11-26 00:00", 1), ElementsAre("2026-11-27 00:00"));
  EXPECT_THAT(next("@weekly", "2026-11-26 00:00", 1), ElementsAre("2026-11-29 00:00"));
}

TEST(Schedules, OfIntervals) {
  EXPECT_THAT(next("every 90m", "2026-11-26 00:00", 3),
              ElementsAre("2026-11-26 01:30", "2026-11-26 03:00", "2026-11-26 04:30"));
  EXPECT_THAT(next("every 6h", "2026-11-26 05:59", 1), ElementsAre("2026-11-26 06:00"));
  // Days in Berlin are not: an interval has no zone.
  EXPECT_EQ(next("every 24h", "2026-03-28 00:00", 3, berlin()),
            next("every 24h", "2026-03-28 00:00", 3));
}

TEST(Schedules, ThatAreNoneSayWhy) {
  for (auto [text, why] : {std::pair{"", "0 fields"},
                           {"* * * *", "4 fields"},
                           {"* * * * * *", "6 fields"},
                           {"60 * * * *", "\"60\" is no minute: 0 to 59"},
                           {"* 24 * * *", "no hour"},
                           {"* * 0 * *", "no day of the month"},
                           {"* * * 13 *", "no month"},
                           {"* * * * 8", "no day of the week"},
                           {"* * * * funday", "no day of the week"},
                           {"*/0 * * * *", "no step"},
                           {"5-2 * * * *", "goes up"},
                           {"1,,2 * * * *", "no minute"},
                           {"-1 * * * *", "no minute"},
                           {"99999999999 * * * *", "no minute"},
                           {"* * * * * *", "seconds are not among those"},
                           {"@often", "is none of @yearly"},
                           {"@hourl", "did you mean @hourly?"},
                           {"@midnight", "did you mean @daily?"},
                           {"@reboot", "a start of weft wakes nobody: write a schedule"},
                           {"every", "1 field:"},
                           {"every 15 m", "did you mean \"every 15m\"?"},
                           {"every 15 minutes", "did you mean \"every 15m\"?"},
                           {"every 15", "has no unit: write \"every 15m\""},
                           {"15m", "did you mean \"every 15m\"?"},
                           {"every day", "no interval"},
                           {"every 0s", "no interval"},
                           {"every 1500ms", "no interval"},
                           {"every 9000h", "no interval"}}) {
    auto schedule = Schedule::parse(text);
    ASSERT_FALSE(schedule.has_value()) << text;
    EXPECT_THAT(schedule.error().message(), HasSubstr(why)) << text;
  }
}

TEST(Schedules, WhereClocksAreSetForward) {
  // On March 29th Berlin has no 2:30: it is 1:00 in UTC, when it becomes 3:00.
  EXPECT_THAT(next("30 2 * * *", "2026-03-27 12:00", 3, berlin()),
              ElementsAre("2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"));
  // Once, for all that would have been in that hour, also with what is due then.
  EXPECT_THAT(next("*/30 2-3 * * *", "2026-03-28 12:00", 3, berlin()),
              ElementsAre("2026-03-29 01:00", "2026-03-29 01:30", "2026-03-30 00:00"));
  EXPECT_THAT(
      next("*/30 * * * *", "2026-03-29 00:00", 4, berlin()),
      ElementsAre("2026-03-29 00:30", "2026-03-29 01:00", "2026-03-29 01:30", "2026-03-29 02:00"));
}

TEST(Schedules, WhereClocksAreSetBack) {
  // On October 25th Berlin has 2:30 twice, at 0:30 and 1:30 in UTC: the first one counts.
  EXPECT_THAT(next("30 2 * * *", "2026-10-24 12:00", 2, berlin()),
              ElementsAre("2026-10-25 00:30", "2026-10-26 01:30"));
  // What is each hour is each hour.
  EXPECT_THAT(
      next("30 * * * *", "2026-10-24 23:00", 4, berlin()),
      ElementsAre("2026-10-24 23:30", "2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 02:30"));
  EXPECT_THAT(next("0 3 * * *", "2026-10-24 12:00", 1, berlin()), ElementsAre("2026-10-25 02:00"));
  // Over midnight, where that is when they are set.
  auto cairo = Zone::find("Africa/Cairo").value();
  EXPECT_EQ(next("30 23 * * *", "2025-10-30 12:00", 2, cairo).size(), 2U);
}

TEST(Schedules, OfAYearAreAsManyAsItHasDays) {
  for (auto zone_name : {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                         "Pacific/Apia", "Asia/Tehran"}) {
    Zone zone = Zone::find(zone_name).value();
    Schedule daily = parse("15 2 * * *");
    EXPECT_EQ(daily.last(zone, at("2026-01-01 12:00"), at("2027-01-01 12:00"), 1000).size(), 365U)
        << zone_name;
  }
}

}  // namespace
}  // namespace weft::cron
