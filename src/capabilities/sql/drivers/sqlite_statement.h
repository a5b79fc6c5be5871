#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "capabilities/sql/value.h"

// A statement of SQLite's: values into it, and rows out of it.
namespace weft::sql::sqlite {

// What a column's declared type says of its cells.
enum class Declared : std::uint8_t {
  kNothing,
  kBoolean,
  kDecimal,
  kDate,
  kTime,
  kTimestamp,
  kInstant,
  kUuid,
  kJson,
};

struct ColumnType {
  Declared declared = Declared::kNothing;
  int places = -1;  // Of a decimal: digits behind the point, -1 where the type does not say.
};

// "DECIMAL(10, 2)", "timestamp with time zone": in capitals or not.
ColumnType column_type(std::string_view declared);

// The digits that a decimal may have and still come back from a number of SQLite's as it was.
inline constexpr std::size_t kDecimalDigits = 15;

// Puts the values, which outlive the statement's run, in the place of its question marks. A
// statement with other placeholders, or with more or fewer, is refused.
Or<void> bind_values(sqlite3_stmt* statement, std::span<const Value> values);

// The columns of a statement that has any, and how their cells are read.
class RowReader {
 public:
  explicit RowReader(sqlite3_stmt* statement);

  const std::vector<Column>& columns() const { return columns_; }
  std::vector<Column> take_columns() { return std::move(columns_); }
  // The row that the statement stands on, and adds to `bytes` what it weighs.
  Or<Row> read(std::size_t& bytes) const;

 private:
  Or<Value> cell(int column) const;

  sqlite3_stmt* statement_;
  std::vector<Column> columns_;
  std::vector<ColumnType> types_;
};

}  // namespace weft::sql::sqlite
