// Shows that values come back from a driver as they went in: each type, at its ends, from a column
// that is declared for it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <limits>

#include "capabilities/sql/conformance.h"

namespace weft::sql {
std::string Values::through(std::string_view type, Value in) {
  std::string table = fmt::format("t{}", ++tables_);
  EXPECT_EQ(
      execute(*database_, fmt::format("CREATE TABLE {} (v {})", table, GetParam().type(type))),
      "0");
  auto stored = execute(*database_, fmt::format("INSERT INTO {} VALUES (?)", table), {in});
  if (stored != "1") return stored;
  auto found =
      wait(database_->run(request(), {fmt::format("SELECT v FROM {}", table)}, Wanted::kRows));
  if (!found) return show(found);
  auto shown = show(found->set.rows.at(0).at(0));
  // What comes out may go in again, and is equal to what is there.
  auto equal = query(*database_, fmt::format("SELECT count(*) AS n FROM {} WHERE v = ?", table),
                     {found->set.rows.at(0).at(0)});
  bool comparable = type != "JSON" && shown != "null";
  if (comparable) {
    EXPECT_EQ(equal, "n / 1") << type << " " << shown;
  }
  return shown;
}

namespace {

using V = Value;

TEST_P(Values, null_is_null_in_every_column) {
  for (const char* type : {"BOOLEAN", "BIGINT", "DOUBLE PRECISION", "DECIMAL(10,2)", "TEXT", "DATE",
                           "TIME", "TIMESTAMP", "TIMESTAMPTZ", "UUID", "JSON"}) {
    EXPECT_EQ(through(type, V::null()), "null") << type;
  }
  EXPECT_EQ(through(GetParam().binary, V::null()), "null");
}

TEST_P(Values, numbers_come_back_to_the_last_bit) {
  EXPECT_EQ(through("BOOLEAN", V::boolean(true)), "boolean true");
  EXPECT_EQ(through("BOOLEAN", V::boolean(false)), "boolean false");
  for (std::int64_t each :
       {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min()}) {
    EXPECT_EQ(through("BIGINT", V::integer(each)), fmt::format("{}", each));
  }
  EXPECT_EQ(through("SMALLINT", V::integer(-32768)), "-32768");
  EXPECT_EQ(through("INTEGER", V::integer(2147483647)), "2147483647");
  for (double each : {0.1, -1.0 / 3, 1e300, 5e-324, 1.7976931348623157e308, 42.0}) {
    EXPECT_EQ(through("DOUBLE PRECISION", V::real(each)), fmt::format("real {}", each));
  }
  for (double each :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_TRUE(
        failure_of(*database_, "SELECT ?", {V::real(each)}).is<Failure::InvalidParameter>());
  }
}

TEST_P(Values, decimals_keep_their_digits_and_the_places_of_their_column) {
  EXPECT_EQ(through("DECIMAL(10,2)", V::decimal("12.5")), "decimal 12.50");
  EXPECT_EQ(through("NUMERIC(15,5)", V::decimal("-0001234567890.12345")),
            "decimal -1234567890.12345");
  EXPECT_EQ(through("DECIMAL(10,2)", V::decimal("0.00")), "decimal 0.00");
  EXPECT_EQ(through("DECIMAL(10, 2)", V::decimal("-0.01")), "decimal -0.01");
  EXPECT_EQ(through("NUMERIC", V::decimal("123456789012.345")), "decimal 123456789012.345");
  EXPECT_EQ(through("DECIMAL(19)", V::decimal("9223372036854775807")),
            "decimal 9223372036854775807");
  EXPECT_EQ(through("DECIMAL(10,2)", V::integer(7)), "decimal 7.00");
  for (const char* each : {"", "-", "1e5", "1.", ".5", "NaN", "1 ", "0x1", "1,5", "--1"}) {
    auto failure = failure_of(*database_, "SELECT ?", {V::decimal(each)});
    EXPECT_TRUE(failure.is<Failure::InvalidParameter>()) << each << ": " << to_text(failure);
  }
}

TEST_P(Values, text_and_bytes_come_back_as_they_are) {
  std::string all;
  for (char c = 1; c < 127; ++c) all.push_back(c);
  for (const std::string& each :
       {std::string(), all, std::string("sn\u00f6w \u2603 \U0001f600 e\u0301"), std::string("123"),
        std::string("1.50"), std::string("null"), std::string(100'000, 'x')}) {
    EXPECT_EQ(through("TEXT", V::text(each)), "'" + each + "'");
  }
  EXPECT_EQ(through("VARCHAR(10)", V::text("0012")), "'0012'");
  EXPECT_TRUE(failure_of(*database_, "SELECT ?", {V::text(std::string("a\0b", 3))})
                  .is<Failure::InvalidParameter>());
  Bytes bytes;
  for (int i = 0; i < 512; ++i) bytes.push_back(static_cast<std::uint8_t>(i));
  EXPECT_EQ(through(GetParam().binary, V::binary(bytes)), show(V::binary(bytes)));
  EXPECT_EQ(through(GetParam().binary, V::binary({})), "binary ");
  EXPECT_EQ(through(GetParam().binary, V::binary(Bytes(1 << 20, 0xff))),
            show(V::binary(Bytes(1 << 20, 0xff))));
}

TEST_P(Values, dates_and_times_come_back_in_one_form) {
  EXPECT_EQ(through("DATE", V::date("2026-11-26")), "date 2026-11-26");
  EXPECT_EQ(through("DATE", V::date("0001-01-01")), "date 0001-01-01");
  EXPECT_EQ(through("DATE", V::date("9999-12-31")), "date 9999-12-31");
  EXPECT_EQ(through("TIME", V::time("00:00:00")), "time 00:00:00");
  EXPECT_EQ(through("TIME", V::time("23:59:59.999999")), "time 23:59:59.999999");
  EXPECT_EQ(through("TIME", V::time("09:30:00.250")), "time 09:30:00.25");
  EXPECT_EQ(through("TIMESTAMP", V::timestamp("2026-11-26 09:30:00")),
            "timestamp 2026-11-26T09:30:00");
  EXPECT_EQ(through("TIMESTAMP", V::timestamp("1969-12-31T23:59:59.000001")),
            "timestamp 1969-12-31T23:59:59.000001");
  EXPECT_EQ(through("TIMESTAMP WITHOUT TIME ZONE", V::timestamp("2000-02-29T00:00:00.5")),
            "timestamp 2000-02-29T00:00:00.5");
  EXPECT_EQ(through("TIMESTAMPTZ", V::instant("2026-11-26T09:30:00Z")),
            "instant 2026-11-26T09:30:00Z");
  EXPECT_EQ(through("TIMESTAMP WITH TIME ZONE", V::instant("2026-01-01T00:30:00.25+01:30")),
            "instant 2025-12-31T23:00:00.25Z");
}

TEST_P(Values, what_is_no_date_is_told_before_the_database_sees_it) {
  for (const Value& each :
       {V::date("2026-02-29"), V::date("2026-13-01"), V::date("26-01-01"), V::date("0000-01-01"),
        V::date("2026-11-26x"), V::date("infinity"), V::time("24:00:00"), V::time("09:30"),
        V::time("09:30:00.1234567"), V::time("9:30:00"), V::timestamp("2026-11-26"),
        V::timestamp("2026-11-26T09:30:00Z"), V::instant("2026-11-26T09:30:00"),
        V::instant("0001-01-01T00:00:00+01:00"), V::uuid("f81d4fae7dec11d0a76500a0c91e6bf6"),
        V::uuid("g81d4fae-7dec-11d0-a765-00a0c91e6bf6"), V::json("{"), V::json(""),
        V::json("'a'")}) {
    auto failure = failure_of(*database_, "SELECT ?", {each});
    EXPECT_TRUE(failure.is<Failure::InvalidParameter>()) << show(each) << ": " << to_text(failure);
  }
}

TEST_P(Values, uuids_and_json_come_back) {
  EXPECT_EQ(through("UUID", V::uuid("F81D4FAE-7dec-11d0-a765-00a0c91e6bf6")),
            "uuid f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
  EXPECT_EQ(through("UUID", V::uuid("00000000-0000-0000-0000-000000000000")),
            "uuid 00000000-0000-0000-0000-000000000000");
  for (const char* each : {"{\"a\": [1, null, \"\u2603\"], \"b\": {}}", "[]", "\"text\"", "true",
                           "null", "17", "-2.5"}) {
    EXPECT_EQ(through("JSON", V::json(each)), fmt::format("json {}", each));
  }
}

TEST_P(Values, texts_stand_for_other_types_where_a_column_says_so) {
  EXPECT_EQ(through("BIGINT", V::text("42")), "42");
  EXPECT_EQ(through("DATE", V::text("2026-11-26")), "date 2026-11-26");
  EXPECT_EQ(through("UUID", V::text("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")),
            "uuid f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
}

TEST_P(Values, parameters_compare_with_columns_by_their_type) {
  ASSERT_EQ(
      execute(*database_, fmt::format("CREATE TABLE t (n BIGINT, d DECIMAL(10,2), s TEXT, w {})",
                                      GetParam().type("TIMESTAMP"))),
      "0");
  ASSERT_EQ(execute(*database_, "INSERT INTO t VALUES (10, 2.50, '10', '2026-11-26 10:00:00')"),
            "1");
  auto count = [&](std::string condition, Value value) {
    return query(*database_, "SELECT count(*) AS n FROM t WHERE " + condition, {value});
  };
  EXPECT_EQ(count("n > ?", V::integer(9)), "n / 1");
  EXPECT_EQ(count("d * 2 > ?", V::decimal("4.99")), "n / 1");
  EXPECT_EQ(count("d = ?", V::decimal("2.5")), "n / 1");
  EXPECT_EQ(count("s = ?", V::text("10")), "n / 1");
  EXPECT_EQ(count("w < ?", V::timestamp("2026-11-26T10:00:00.1")), "n / 1");
  EXPECT_EQ(count("w >= ?", V::timestamp("2026-11-26T10:00:00")), "n / 1");
  EXPECT_EQ(count("s LIKE ?", V::text("1%")), "n / 1");
  EXPECT_EQ(query(*database_, "SELECT count(*) AS n FROM t WHERE 'abc' LIKE 'ABC'"), "n / 0");
}

}  // namespace
}  // namespace weft::sql
