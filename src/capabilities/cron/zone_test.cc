// Shows that time zones are read as the system's own tools show them, and that no file can mislead.
#include "capabilities/cron/zone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "capabilities/test_folder.h"

namespace weft::cron {
namespace {

using namespace std::chrono_literals;
using std::chrono::local_days;
using std::chrono::sys_days;
using ::testing::HasSubstr;

constexpr auto kMarch = std::chrono::year(2026) / 3 / 29;
constexpr auto kOctober = std::chrono::year(2026) / 10 / 25;

Zone zone(std::string_view name) {
  auto found = Zone::find(name);
  EXPECT_TRUE(found.has_value()) << found.error().message();
  return found.value_or(Zone::utc());
}

TEST(ZoneOffset, IsThatOfTheDay) {
  Zone berlin = zone("Europe/Berlin");
  EXPECT_EQ(berlin.offset(sys_days(kMarch) + 1h - 1s), 1h);
  EXPECT_EQ(berlin.offset(sys_days(kMarch) + 1h), 2h);
  EXPECT_EQ(berlin.offset(sys_days(kOctober) + 1h - 1s), 2h);
  EXPECT_EQ(berlin.offset(sys_days(kOctober) + 1h), 1h);
  // Before there was such a thing, and after all that the file lists.
  EXPECT_EQ(berlin.offset(sys_days(std::chrono::year(1800) / 1 / 1)), 53min + 28s);
  EXPECT_EQ(berlin.offset(sys_days(std::chrono::year(2099) / 7 / 1)), 2h);
  EXPECT_EQ(berlin.offset(sys_days(std::chrono::year(2099) / 12 / 1)), 1h);
  EXPECT_EQ(zone("Asia/Kathmandu").offset(sys_days(kMarch)), 5h + 45min);
  EXPECT_EQ(zone("UTC").offset(sys_days(kMarch)), 0h);
  Zone sydney = zone("Australia/Sydney");
  EXPECT_EQ(sydney.offset(sys_days(std::chrono::year(2090) / 1 / 1)), 11h);
  EXPECT_EQ(sydney.offset(sys_days(std::chrono::year(2090) / 7 / 1)), 10h);
}

TEST(ZoneMoments, AreNoneOneOrTwo) {
  Zone berlin = zone("Europe/Berlin");
  auto plain = berlin.moments(local_days(kMarch) + 12h);
  EXPECT_EQ(plain.first, sys_days(kMarch) + 10h);
  EXPECT_FALSE(plain.second);
  // Clocks go from 2 to 3.
  for (auto skipped : {2h + 0min, 2h + 30min, 2h + 59min}) {
    auto moments = berlin.moments(local_days(kMarch) + skipped);
    EXPECT_EQ(moments.first, sys_days(kMarch) + 1h);
    EXPECT_FALSE(moments.second);
  }
  EXPECT_EQ(berlin.moments(local_days(kMarch) + 3h).first, sys_days(kMarch) + 1h);
  // And from 3 to 2.
  auto twice = berlin.moments(local_days(kOctober) + 2h + 30min);
  EXPECT_EQ(twice.first, sys_days(kOctober) + 30min);
  EXPECT_EQ(twice.second, sys_days(kOctober) + 1h + 30min);
  EXPECT_FALSE(berlin.moments(local_days(kOctober) + 3h).second);
  EXPECT_FALSE(berlin.moments(local_days(kOctober) + 1h + 59min).second);
}

TEST(ZoneRules, AreReadInEachForm) {
  auto offset = [](std::string_view rule, std::chrono::year_month_day day) {
    auto read = ZoneRule::parse(rule);
    EXPECT_TRUE(read.has_value()) << rule;
    return read ? read->offset(sys_days(day)) : 99h;
  };
  auto winter = std::chrono::year(2026) / 1 / 15;
  auto summer = std::chrono::year(2026) / 7 / 15;
  EXPECT_EQ(offset("CET-1CEST,M3.5.0,M10.5.0/3", winter), 1h);
  EXPECT_EQ(offset("CET-1CEST,M3.5.0,M10.5.0/3", summer), 2h);
  EXPECT_EQ(offset("<-03>3", winter), -3h);
  EXPECT_EQ(offset("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", winter), 11h);
  EXPECT_EQ(offset("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", summer), 10h + 30min);
  // Ireland's winter time is the one that is set.
  EXPECT_EQ(offset("IST-1GMT0,M10.5.0,M3.5.0/1", winter), 0h);
  EXPECT_EQ(offset("IST-1GMT0,M10.5.0,M3.5.0/1", summer), 1h);
  EXPECT_EQ(offset("XXX3YYY,J60,300/-5", std::chrono::year(2024) / 3 / 2), -2h);
  for (auto wrong : {"", "C", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
                     "CET-1CEST,M3.5.0,M10.5.0/3 ", "<CET-1", "CET-200"}) {
    EXPECT_FALSE(ZoneRule::parse(wrong).has_value()) << wrong;
  }
}

TEST(ZoneFiles, ThatAreNoneAreRefused) {
  std::ifstream file(std::string(kZoneFolder) + "/Europe/Berlin", std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  std::string whole = text.str();
  ASSERT_TRUE(Zone::parse(as_bytes(whole)).has_value());
  // Shorter by any number of bytes it is none, and nothing is read beyond its end.
  for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
    EXPECT_FALSE(Zone::parse(as_bytes(std::string(whole, 0, size))).has_value()) << size;
  }
  EXPECT_FALSE(Zone::parse(as_bytes("TZig" + whole.substr(4))).has_value());
  TestFolder folder;
  std::ofstream(folder.path() / "Bad") << "no zone";
  auto bad = Zone::find("Bad", folder.path());
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code(), Errc::kCorrupt);
  EXPECT_THAT(bad.error().message(), HasSubstr("Bad"));
  for (auto name : {"", "Nowhere/City", "../../etc/passwd", "/etc/passwd", "Europe"}) {
    auto none = Zone::find(name);
    ASSERT_FALSE(none.has_value()) << name;
    EXPECT_THAT(none.error().message(), HasSubstr("Europe/Berlin"));
  }
  EXPECT_THAT(Zone::find("Europe/Berlin", folder.path() / "none").error().message(),
              HasSubstr("install tzdata"));
}

TEST(ZoneFiles, ThatAreMeantAreNamed) {
  for (auto [name, meant] : {std::pair{"europe/berlin", "Europe/Berlin"},
                             {"Europe/Berln", "Europe/Berlin"},
                             {"Tokyo", "Asia/Tokyo"},
                             {"America/New York", "America/New_York"}}) {
    auto none = Zone::find(name);
    ASSERT_FALSE(none.has_value()) << name;
    EXPECT_THAT(none.error().message(), HasSubstr(std::string("did you mean \"") + meant + "\"?"));
  }
}

}  // namespace
}  // namespace weft::cron
