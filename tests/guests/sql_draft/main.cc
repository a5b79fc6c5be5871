// A command that goes through wasi:sql@0.2.0-draft and prints what it got. Its argument names a
// database.
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "guest.h"

namespace {

guest_string_t lend(std::string_view text) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())), text.size()};
}

std::string show(const guest_string_t& text) {
  return std::string(reinterpret_cast<const char*>(text.ptr), text.len);
}

std::string show(const wasi_sql_types_data_type_t& value) {
  switch (value.tag) {
    case WASI_SQL_TYPES_DATA_TYPE_INT64: return std::to_string(value.val.int64);
    case WASI_SQL_TYPES_DATA_TYPE_BOOLEAN: return value.val.boolean ? "true" : "false";
    case WASI_SQL_TYPES_DATA_TYPE_STR: return "'" + show(value.val.str) + "'";
    case WASI_SQL_TYPES_DATA_TYPE_DATE: return "date " + show(value.val.date);
    case WASI_SQL_TYPES_DATA_TYPE_NULL: return "null";
    default: return "something else";
  }
}

// The failure of a step, told.
int fail(const char* what, wasi_sql_types_own_error_t error) {
  guest_string_t trace;
  wasi_sql_types_method_error_trace(wasi_sql_types_borrow_error(error), &trace);
  std::printf("%s: %s\n", what, show(trace).c_str());
  guest_string_free(&trace);
  wasi_sql_types_error_drop_own(error);
  return 1;
}

wasi_sql_types_own_statement_t prepare(std::string_view text,
                                       const std::vector<std::string_view>& parameters = {}) {
  std::vector<guest_string_t> lent;
  for (auto each : parameters) lent.push_back(lend(each));
  guest_list_string_t list{lent.data(), lent.size()};
  guest_string_t query = lend(text);
  wasi_sql_types_own_statement_t statement{};
  wasi_sql_types_own_error_t error;
  if (!wasi_sql_types_static_statement_prepare(&query, &list, &statement, &error)) {
    fail("prepare", error);
  }
  return statement;
}

int query(wasi_sql_types_borrow_connection_t connection, wasi_sql_types_own_statement_t statement) {
  wasi_sql_readwrite_list_row_t cells;
  wasi_sql_types_own_error_t error;
  if (!wasi_sql_readwrite_query(connection, wasi_sql_types_borrow_statement(statement), &cells,
                                &error)) {
    return fail("query", error);
  }
  for (std::size_t i = 0; i < cells.len; ++i) {
    std::printf("%s = %s\n", show(cells.ptr[i].field_name).c_str(),
                show(cells.ptr[i].value).c_str());
  }
  wasi_sql_readwrite_list_row_free(&cells);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  guest_string_t name = lend(count > 1 ? arguments[1] : "");
  wasi_sql_types_own_connection_t owned;
  wasi_sql_types_own_error_t error;
  if (!wasi_sql_types_static_connection_open(&name, &owned, &error)) return fail("open", error);
  auto connection = wasi_sql_types_borrow_connection(owned);
  for (auto statement :
       {prepare("DROP TABLE IF EXISTS fruit"),
        prepare("CREATE TABLE fruit (id INTEGER PRIMARY KEY, name TEXT, ripe BOOLEAN, "
                "picked DATE)"),
        prepare("INSERT INTO fruit VALUES (?, ?, TRUE, ?), (2, 'pear', FALSE, NULL)",
                {"1", "apple'; DROP TABLE fruit; --", "2026-11-26"})}) {
    std::uint32_t changed = 0;
    if (!wasi_sql_readwrite_exec(connection, wasi_sql_types_borrow_statement(statement), &changed,
                                 &error)) {
      return fail("exec", error);
    }
    std::printf("changed %u\n", changed);
    wasi_sql_types_statement_drop_own(statement);
  }
  query(connection, prepare("SELECT * FROM fruit WHERE id >= ? ORDER BY id", {"1"}));
  query(connection, prepare("SELECT * FROM nowhere"));
  wasi_sql_types_connection_drop_own(owned);
  return 0;
}
