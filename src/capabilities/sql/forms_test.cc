// Shows which texts are values of which type, and the one form that each is brought into.
#include "capabilities/sql/forms.h"

#include <gtest/gtest.h>

namespace weft::sql {
namespace {

TEST(Forms, a_decimal_loses_what_says_nothing) {
  EXPECT_EQ(decimal_form("12.50"), "12.50");
  EXPECT_EQ(decimal_form("+0012"), "12");
  EXPECT_EQ(decimal_form("-0.0"), "0.0");
  EXPECT_EQ(decimal_form("000"), "0");
  EXPECT_EQ(decimal_form("-00.10"), "-0.10");
  EXPECT_EQ(decimal_form(std::string(kDecimalDigitsMax, '9')), std::string(kDecimalDigitsMax, '9'));
  EXPECT_EQ(decimal_form(std::string(kDecimalDigitsMax + 1, '9')), std::nullopt);
  EXPECT_EQ(decimal_form("1e3"), std::nullopt);
  EXPECT_EQ(decimal_form("1."), std::nullopt);
  EXPECT_EQ(decimal_form(" 1"), std::nullopt);
}

TEST(Forms, dates_are_those_of_the_calendar) {
  EXPECT_EQ(date_form("2024-02-29"), "2024-02-29");
  EXPECT_EQ(date_form("1900-02-29"), std::nullopt);
  EXPECT_EQ(date_form("2000-02-29"), "2000-02-29");
  EXPECT_EQ(date_form("2026-04-31"), std::nullopt);
  EXPECT_EQ(date_form("2026-4-3"), std::nullopt);
}

TEST(Forms, times_lose_the_zeros_of_their_fraction) {
  EXPECT_EQ(time_form("09:30:00.250000"), "09:30:00.25");
  EXPECT_EQ(time_form("09:30:00.000"), "09:30:00");
  EXPECT_EQ(time_form("23:59:60"), std::nullopt);
  EXPECT_EQ(time_form("09:30:00."), std::nullopt);
  EXPECT_EQ(timestamp_form("2026-11-26t09:30:00"), "2026-11-26T09:30:00");
  EXPECT_EQ(timestamp_form("2026-11-26  09:30:00"), std::nullopt);
}

TEST(Forms, instants_become_utc) {
  EXPECT_EQ(instant_form("2026-11-26T00:15:00.5+02:00"), "2026-11-25T22:15:00.5Z");
  EXPECT_EQ(instant_form("2026-11-26 09:30:00-0830"), "2026-11-26T18:00:00Z");
  EXPECT_EQ(instant_form("2026-11-26 09:30:00+01"), "2026-11-26T08:30:00Z");
  EXPECT_EQ(instant_form("1969-12-31T23:59:59.9Z"), "1969-12-31T23:59:59.9Z");
  EXPECT_EQ(instant_form("9999-12-31T23:59:59-01:00"), std::nullopt);
  EXPECT_EQ(instant_form("2026-11-26T09:30:00+01:60"), std::nullopt);
}

TEST(Forms, json_is_one_whole_text) {
  EXPECT_EQ(json_form(" {\"a\" : 1} "), " {\"a\" : 1} ");
  EXPECT_EQ(json_form("{} {}"), std::nullopt);
  EXPECT_EQ(json_form("[1,]"), std::nullopt);
  EXPECT_EQ(json_form(std::string(10'000, '[')), std::nullopt);
}

}  // namespace
}  // namespace weft::sql
