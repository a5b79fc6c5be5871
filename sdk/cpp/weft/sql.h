// weft:sql: relational databases that outlive the component.
//
// A name is one of `uses.sql` in weft.toml; which database is behind it is the operator's choice. A
// `?` in a statement stands for the next parameter. A call lets no other request of the instance go
// on, in WASI 0.3 either.
//
//   auto orders = weft::sql::open("orders");
//   auto rows = orders->query("SELECT id, total FROM orders WHERE state = ?", {"open"});
//   for (const auto& row : rows->rows) print(row[0].integer(), row[1].text());
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "weft/result.h"

#ifndef WEFT_SQL_DATABASE_VALUE_NULL
#error "the world does not import weft:sql/database@0.1.0"
#endif

namespace weft::sql {

enum class Kind : std::uint8_t {
  kNoSuchDatabase,    // no database of that name is known
  kDenied,            // not granted, or not served
  kInvalidSql,        // the statement is wrong
  kInvalidParameter,  // a parameter is wrong, or one too many or too few
  kUnique,            // constraints that the statement would have broken
  kForeignKey,
  kNotNull,
  kCheck,
  kConstraint,   // another one
  kConflict,     // another transaction was in the way: do all of it again
  kTimeout,      // it took longer than it may
  kBusy,         // too much waits already
  kUnavailable,  // the database cannot be reached
  kLimit,        // too large, too many, full
  kEnded,        // the transaction or cursor is over
  kOther,
};

// Why a statement was not done: nothing of it was, and its transaction is rolled back.
struct Error {
  Kind kind = Kind::kOther;
  std::string message;
};

template <class T = void>
using Result = std::expected<T, Error>;

// Values that are written as text: "12.50", "2026-11-26", "09:30:00", "2026-11-26T09:30:00", the
// same with a Z behind it ...
struct Decimal {
  std::string text;
};
struct Date {
  std::string text;
};
struct Time {
  std::string text;
};
struct Timestamp {
  std::string text;
};
struct Instant {
  std::string text;
};
struct Uuid {
  std::string text;
};
struct Json {
  std::string text;
};
// Bytes.
struct Binary {
  std::string bytes;
};
struct Null {};

// A parameter, or a cell of a row.
class Value {
 public:
  // In the order of weft:sql's own cases.
  using Any = std::variant<Null, bool, std::int64_t, double, Decimal, std::string, Binary, Date,
                           Time, Timestamp, Instant, Uuid, Json>;

  template <class T>
    requires std::constructible_from<Any, T>
  Value(T&& value) : any_(std::forward<T>(value)) {}
  // Nothing is null.
  template <class T>
  Value(std::optional<T> value) {
    if (value) any_ = Any(*std::move(value));
  }

  const Any& any() const { return any_; }
  bool is_null() const { return std::holds_alternative<Null>(any_); }
  template <class T>
  const T* as() const {
    return std::get_if<T>(&any_);
  }
  // For a value whose type is known: zero, false or empty where it is another.
  std::int64_t integer() const { return as<std::int64_t>() ? *as<std::int64_t>() : 0; }
  double real() const { return as<double>() ? *as<double>() : 0; }
  bool boolean() const { return as<bool>() && *as<bool>(); }
  // Of all that is text or written as text, and of bytes.
  std::string_view text() const {
    return std::visit(
        []<class T>(const T& value) -> std::string_view {
          if constexpr (std::is_same_v<T, std::string>) return value;
          if constexpr (requires { value.text; }) return value.text;
          if constexpr (requires { value.bytes; }) return value.bytes;
          return {};
        },
        any_);
  }

 private:
  Any any_;
};

using Values = std::vector<Value>;
using Row = std::vector<Value>;

struct Column {
  std::string name;
  std::string declared_type;  // In the database's own words; empty for an expression.
};

struct ResultSet {
  std::vector<Column> columns;
  std::vector<Row> rows;
};

enum class Isolation : std::uint8_t { kReadCommitted, kRepeatableRead, kSerializable };
enum class Access : std::uint8_t { kReadWrite, kReadOnly };

namespace detail {

using weft::detail::lend;
using weft::detail::view;

// The bindings' own names, which are long.
using Wire = weft_sql_database_value_t;
using WireError = weft_sql_database_error_t;

inline Kind constraint_kind(std::uint8_t kind) {
  switch (kind) {
    case WEFT_SQL_DATABASE_CONSTRAINT_KIND_UNIQUE: return Kind::kUnique;
    case WEFT_SQL_DATABASE_CONSTRAINT_KIND_FOREIGN_KEY: return Kind::kForeignKey;
    case WEFT_SQL_DATABASE_CONSTRAINT_KIND_NOT_NULL: return Kind::kNotNull;
    case WEFT_SQL_DATABASE_CONSTRAINT_KIND_CHECK: return Kind::kCheck;
    default: return Kind::kConstraint;
  }
}

inline Error error_of(const WireError& error) {
  switch (error.tag) {
    case WEFT_SQL_DATABASE_ERROR_NO_SUCH_DATABASE:
      return {Kind::kNoSuchDatabase, "there is no database of that name"};
    case WEFT_SQL_DATABASE_ERROR_ACCESS_DENIED:
      return {Kind::kDenied, std::string(view(error.val.access_denied))};
    case WEFT_SQL_DATABASE_ERROR_INVALID_SQL:
      return {Kind::kInvalidSql, std::string(view(error.val.invalid_sql))};
    case WEFT_SQL_DATABASE_ERROR_INVALID_PARAMETER:
      return {Kind::kInvalidParameter, std::string(view(error.val.invalid_parameter))};
    case WEFT_SQL_DATABASE_ERROR_CONSTRAINT:
      return {constraint_kind(error.val.constraint.kind),
              std::string(view(error.val.constraint.message))};
    case WEFT_SQL_DATABASE_ERROR_CONFLICT:
      return {Kind::kConflict, std::string(view(error.val.conflict))};
    case WEFT_SQL_DATABASE_ERROR_TIMEOUT:
      return {Kind::kTimeout, std::string(view(error.val.timeout))};
    case WEFT_SQL_DATABASE_ERROR_BUSY: return {Kind::kBusy, std::string(view(error.val.busy))};
    case WEFT_SQL_DATABASE_ERROR_UNAVAILABLE:
      return {Kind::kUnavailable, std::string(view(error.val.unavailable))};
    case WEFT_SQL_DATABASE_ERROR_LIMIT: return {Kind::kLimit, std::string(view(error.val.limit))};
    case WEFT_SQL_DATABASE_ERROR_ENDED: return {Kind::kEnded, std::string(view(error.val.ended))};
    default: return {Kind::kOther, std::string(view(error.val.other))};
  }
}

inline std::unexpected<Error> taken(WireError& error) {
  Error out = error_of(error);
  weft_sql_database_error_free(&error);
  return std::unexpected(std::move(out));
}

inline Value value_of(const Wire& value) {
  switch (value.tag) {
    case WEFT_SQL_DATABASE_VALUE_BOOLEAN: return value.val.boolean;
    case WEFT_SQL_DATABASE_VALUE_INTEGER: return value.val.integer;
    case WEFT_SQL_DATABASE_VALUE_REAL: return value.val.real;
    case WEFT_SQL_DATABASE_VALUE_DECIMAL: return Decimal(std::string(view(value.val.decimal)));
    case WEFT_SQL_DATABASE_VALUE_TEXT: return std::string(view(value.val.text));
    case WEFT_SQL_DATABASE_VALUE_BINARY: return Binary(std::string(view(value.val.binary)));
    case WEFT_SQL_DATABASE_VALUE_DATE: return Date(std::string(view(value.val.date)));
    case WEFT_SQL_DATABASE_VALUE_TIME: return Time(std::string(view(value.val.time)));
    case WEFT_SQL_DATABASE_VALUE_TIMESTAMP:
      return Timestamp(std::string(view(value.val.timestamp)));
    case WEFT_SQL_DATABASE_VALUE_INSTANT: return Instant(std::string(view(value.val.instant)));
    case WEFT_SQL_DATABASE_VALUE_UUID: return Uuid(std::string(view(value.val.uuid)));
    case WEFT_SQL_DATABASE_VALUE_JSON: return Json(std::string(view(value.val.json)));
    default: return Null();
  }
}

inline std::vector<Row> rows_of(const weft_sql_database_list_row_t& rows) {
  std::vector<Row> out(rows.len);
  for (std::size_t i = 0; i < rows.len; ++i) {
    for (std::size_t j = 0; j < rows.ptr[i].len; ++j)
      out[i].push_back(value_of(rows.ptr[i].ptr[j]));
  }
  return out;
}

inline std::vector<Column> columns_of(const weft_sql_database_list_column_t& columns) {
  std::vector<Column> out;
  for (std::size_t i = 0; i < columns.len; ++i) {
    out.push_back(
        {std::string(view(columns.ptr[i].name)), std::string(view(columns.ptr[i].declared_type))});
  }
  return out;
}

// The parameters as the host reads them, in the place of the values that they borrow from.
class Lent {
 public:
  explicit Lent(const Values& values) {
    for (const Value& value : values) wires_.push_back(wire(value));
  }
  weft_sql_database_list_value_t list() { return {wires_.data(), wires_.size()}; }

 private:
  static Wire wire(const Value& value) {
    Wire out{};
    out.tag = static_cast<std::uint8_t>(value.any().index());
    if (auto* each = value.as<bool>()) {
      out.val.boolean = *each;
    } else if (auto* each = value.as<std::int64_t>()) {
      out.val.integer = *each;
    } else if (auto* each = value.as<double>()) {
      out.val.real = *each;
    } else if (auto* each = value.as<Binary>()) {
      out.val.binary = {const_cast<std::uint8_t*>(bytes(each->bytes).data()), each->bytes.size()};
    } else if (!value.is_null()) {
      // All the others are strings, in one place of the union.
      out.val.text = lend(value.text());
    }
    return out;
  }

  std::vector<Wire> wires_;
};

}  // namespace detail

// Rows of a statement that are fetched as they are needed. Closed with its last owner.
class Cursor {
 public:
  explicit Cursor(weft_sql_database_own_cursor_t handle) : handle_(handle) {}
  Cursor(Cursor&& other) noexcept : handle_(std::exchange(other.handle_, {0})) {}
  Cursor& operator=(Cursor&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Cursor() {
    if (handle_.__handle != 0) weft_sql_database_cursor_drop_own(handle_);
  }

  std::vector<Column> columns() const {
    weft_sql_database_list_column_t columns;
    weft_sql_database_method_cursor_columns(borrow(), &columns);
    auto out = detail::columns_of(columns);
    weft_sql_database_list_column_free(&columns);
    return out;
  }
  // The next rows, at most so many; none when all were read.
  Result<std::vector<Row>> next(std::uint32_t max) const {
    weft_sql_database_list_row_t rows;
    detail::WireError error;
    if (!weft_sql_database_method_cursor_next(borrow(), max, &rows, &error)) {
      return detail::taken(error);
    }
    auto out = detail::rows_of(rows);
    weft_sql_database_list_row_free(&rows);
    return out;
  }

 private:
  weft_sql_database_borrow_cursor_t borrow() const {
    return weft_sql_database_borrow_cursor(handle_);
  }

  weft_sql_database_own_cursor_t handle_;
};

namespace detail {

// The three functions that connections and transactions both have.
template <class Handle, auto kQuery, auto kExecute, auto kOpenCursor>
struct Statements {
  static Result<ResultSet> query(Handle handle, std::string_view statement, const Values& values) {
    auto text = lend(statement);
    Lent lent(values);
    auto list = lent.list();
    weft_sql_database_result_set_t set;
    WireError error;
    if (!kQuery(handle, &text, &list, &set, &error)) return taken(error);
    ResultSet out{columns_of(set.columns), rows_of(set.rows)};
    weft_sql_database_result_set_free(&set);
    return out;
  }
  static Result<std::uint64_t> execute(Handle handle, std::string_view statement,
                                       const Values& values) {
    auto text = lend(statement);
    Lent lent(values);
    auto list = lent.list();
    std::uint64_t count = 0;
    WireError error;
    if (!kExecute(handle, &text, &list, &count, &error)) return taken(error);
    return count;
  }
  static Result<Cursor> open_cursor(Handle handle, std::string_view statement,
                                    const Values& values) {
    auto text = lend(statement);
    Lent lent(values);
    auto list = lent.list();
    weft_sql_database_own_cursor_t cursor;
    WireError error;
    if (!kOpenCursor(handle, &text, &list, &cursor, &error)) return taken(error);
    return Cursor(cursor);
  }
};

}  // namespace detail

// Statements that take effect together. One that goes before `commit` is rolled back; so is one of
// whose statements one fails.
class Transaction {
 public:
  explicit Transaction(weft_sql_database_own_transaction_t handle) : handle_(handle) {}
  Transaction(Transaction&& other) noexcept : handle_(std::exchange(other.handle_, {0})) {}
  Transaction& operator=(Transaction&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Transaction() {
    if (handle_.__handle != 0) weft_sql_database_transaction_drop_own(handle_);
  }

  Result<ResultSet> query(std::string_view statement, const Values& parameters = {}) const {
    return Calls::query(borrow(), statement, parameters);
  }
  Result<std::uint64_t> execute(std::string_view statement, const Values& parameters = {}) const {
    return Calls::execute(borrow(), statement, parameters);
  }
  Result<Cursor> open_cursor(std::string_view statement, const Values& parameters = {}) const {
    return Calls::open_cursor(borrow(), statement, parameters);
  }
  Result<> commit() const {
    detail::WireError error;
    if (weft_sql_database_method_transaction_commit(borrow(), &error)) return {};
    return detail::taken(error);
  }
  Result<> rollback() const {
    detail::WireError error;
    if (weft_sql_database_method_transaction_rollback(borrow(), &error)) return {};
    return detail::taken(error);
  }

 private:
  using Calls = detail::Statements<weft_sql_database_borrow_transaction_t,
                                   weft_sql_database_method_transaction_query,
                                   weft_sql_database_method_transaction_execute,
                                   weft_sql_database_method_transaction_open_cursor>;
  weft_sql_database_borrow_transaction_t borrow() const {
    return weft_sql_database_borrow_transaction(handle_);
  }

  weft_sql_database_own_transaction_t handle_;
};

// A database. Each statement is a transaction by itself.
class Database {
 public:
  explicit Database(weft_sql_database_own_connection_t handle) : handle_(handle) {}
  Database(Database&& other) noexcept : handle_(std::exchange(other.handle_, {0})) {}
  Database& operator=(Database&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Database() {
    if (handle_.__handle != 0) weft_sql_database_connection_drop_own(handle_);
  }

  // The rows that a statement answers with.
  Result<ResultSet> query(std::string_view statement, const Values& parameters = {}) const {
    return Calls::query(borrow(), statement, parameters);
  }
  // How many rows a statement inserted, changed or deleted.
  Result<std::uint64_t> execute(std::string_view statement, const Values& parameters = {}) const {
    return Calls::execute(borrow(), statement, parameters);
  }
  // The rows of a reading statement a few at a time.
  Result<Cursor> open_cursor(std::string_view statement, const Values& parameters = {}) const {
    return Calls::open_cursor(borrow(), statement, parameters);
  }
  Result<Transaction> begin(Isolation isolation = Isolation::kSerializable,
                            Access access = Access::kReadWrite) const {
    weft_sql_database_transaction_options_t options{static_cast<std::uint8_t>(isolation),
                                                    static_cast<std::uint8_t>(access)};
    weft_sql_database_own_transaction_t transaction;
    detail::WireError error;
    if (!weft_sql_database_method_connection_begin(borrow(), &options, &transaction, &error)) {
      return detail::taken(error);
    }
    return Transaction(transaction);
  }

  // Runs `work(transaction)`, which returns a Result<>, and commits; a failure of it rolls back.
  // All of it again where another transaction was in the way, so it should change nothing else.
  template <class Work>
  Result<> transact(Work work, int attempts_max = 10) const {
    for (int attempt = 1;; ++attempt) {
      Result<> done;
      auto transaction = begin();
      if (!transaction) {
        done = std::unexpected(std::move(transaction).error());
      } else {
        done = work(*transaction);
        if (done) done = transaction->commit();
      }
      if (done || done.error().kind != Kind::kConflict || attempt == attempts_max) return done;
    }
  }

 private:
  using Calls = detail::Statements<
      weft_sql_database_borrow_connection_t, weft_sql_database_method_connection_query,
      weft_sql_database_method_connection_execute, weft_sql_database_method_connection_open_cursor>;
  weft_sql_database_borrow_connection_t borrow() const {
    return weft_sql_database_borrow_connection(handle_);
  }

  weft_sql_database_own_connection_t handle_;
};

// The database of that name. The empty name is for a component that runs without a weft.toml.
inline Result<Database> open(std::string_view name = {}) {
  auto text = detail::lend(name);
  weft_sql_database_own_connection_t handle;
  detail::WireError error;
  if (weft_sql_database_open(&text, &handle, &error)) return Database(handle);
  return detail::taken(error);
}

}  // namespace weft::sql
