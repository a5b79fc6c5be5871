#pragma once

#include <mysql.h>

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "capabilities/sql/value.h"

// Values as MySQL takes and gives them in its binary protocol.
namespace weft::sql::mysql {

// What mysql_stmt_bind_param wants, for values that outlive it.
class Parameters {
 public:
  explicit Parameters(std::span<const Value> values);
  Parameters(const Parameters&) = delete;

  std::size_t count() const { return binds_.size(); }
  MYSQL_BIND* binds() { return binds_.data(); }

 private:
  void add(const Value& value);
  void add_bytes(enum_field_types type, const void* data, std::size_t size);
  void add_number(enum_field_types type, const void* number);

  std::vector<MYSQL_BIND> binds_;
  // What is made here; a deque moves nothing.
  std::deque<std::string> texts_;
  std::deque<std::int64_t> integers_;
};

// The columns of a statement's result, and the place where libmariadb puts one row after the other.
class RowReader {
 public:
  // Of a statement that was executed and has columns.
  explicit RowReader(MYSQL_STMT* statement);
  RowReader(const RowReader&) = delete;

  // Asks libmariadb to put rows here, from the next one on.
  bool bind(MYSQL_STMT* statement);
  const std::vector<Column>& columns() const { return columns_; }
  // The row that was fetched last; adds to `bytes` what it weighs.
  Row row(MYSQL_STMT* statement, std::size_t& bytes);

 private:
  enum class Kind : std::uint8_t;
  struct Cell {
    Kind kind;
    bool is_unsigned = false;
    std::int64_t integer = 0;
    double real = 0;
    float single = 0;
    MYSQL_TIME time = {};
    std::string bytes = {};
    unsigned long size = 0;
    my_bool null = 0;
    my_bool cut = 0;
  };

  static Kind kind_of(const MYSQL_FIELD& field);
  void bind_cell(Cell& cell, MYSQL_BIND& bind);
  Value value_of(MYSQL_STMT* statement, std::size_t index);

  std::vector<Column> columns_;
  std::vector<Cell> cells_;  // As many as there are columns: none moves.
  std::vector<MYSQL_BIND> binds_;
};

// The failure that the server or libmariadb names.
Failure failure_of(unsigned number, std::string_view state, std::string message);
// Whether the connection is gone with it.
bool loses_connection(unsigned number);

}  // namespace weft::sql::mysql
