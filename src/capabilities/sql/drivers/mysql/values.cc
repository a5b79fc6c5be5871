#include "capabilities/sql/drivers/mysql/values.h"

#include <errmsg.h>
#include <fmt/format.h>
#include <mysqld_error.h>

#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/bytes.h"
#include "capabilities/sql/forms.h"

namespace weft::sql::mysql {
namespace {

// Of the character set "binary".
constexpr unsigned kBinary = 63;
constexpr auto kTypeJson = static_cast<enum_field_types>(245);

std::string_view attribute_of(const MYSQL_FIELD& field, mariadb_field_attr_t which) {
  MARIADB_CONST_STRING text{};
  if (mariadb_field_attr(&text, &field, which) != 0) return {};
  return {text.str, text.length};
}

bool is_flag(const MYSQL_FIELD& field) {
  return field.type == MYSQL_TYPE_TINY && field.length == 1;
}

std::string_view name_of(const MYSQL_FIELD& field) {
  bool binary = field.charsetnr == kBinary;
  if (auto type = attribute_of(field, MARIADB_FIELD_ATTR_DATA_TYPE_NAME); !type.empty()) {
    return type;
  }
  if (attribute_of(field, MARIADB_FIELD_ATTR_FORMAT_NAME) == "json") return "json";
  switch (field.type) {
    case MYSQL_TYPE_TINY: return is_flag(field) ? "boolean" : "tinyint";
    case MYSQL_TYPE_SHORT: return "smallint";
    case MYSQL_TYPE_INT24: return "mediumint";
    case MYSQL_TYPE_LONG: return "integer";
    case MYSQL_TYPE_LONGLONG: return "bigint";
    case MYSQL_TYPE_YEAR: return "year";
    case MYSQL_TYPE_FLOAT: return "float";
    case MYSQL_TYPE_DOUBLE: return "double";
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL: return "decimal";
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE: return "date";
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_TIME2: return "time";
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_DATETIME2: return "datetime";
    case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_TIMESTAMP2: return "timestamp";
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_VAR_STRING: return binary ? "varbinary" : "varchar";
    case MYSQL_TYPE_STRING: return binary ? "binary" : "char";
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB: return binary ? "blob" : "text";
    case MYSQL_TYPE_BIT: return "bit";
    case kTypeJson: return "json";
    default: return "";
  }
}

std::string fraction_of(unsigned long microseconds) {
  return microseconds == 0 ? "" : fmt::format(".{:06}", microseconds);
}
std::string date_of(const MYSQL_TIME& time) {
  return fmt::format("{:04}-{:02}-{:02}", time.year, time.month, time.day);
}
// Beyond a day, and before 0, it is a span of time.
std::string clock_of(const MYSQL_TIME& time) {
  return fmt::format("{}{:02}:{:02}:{:02}{}", time.neg != 0 ? "-" : "", time.day * 24 + time.hour,
                     time.minute, time.second, fraction_of(time.second_part));
}

}  // namespace

Parameters::Parameters(std::span<const Value> values) {
  binds_.reserve(values.size());
  for (const Value& each : values) add(each);
}

void Parameters::add_bytes(enum_field_types type, const void* data, std::size_t size) {
  MYSQL_BIND bind{};
  bind.buffer_type = type;
  // Only read, for all that its type says. Without a place libmariadb takes it for null.
  bind.buffer = const_cast<void*>(data != nullptr ? data : "");
  bind.buffer_length = size;
  bind.length_value = size;
  binds_.push_back(bind);
}

void Parameters::add_number(enum_field_types type, const void* number) {
  add_bytes(type, number, 0);
}

void Parameters::add(const Value& value) {
  using V = Value;
  auto text = [&](const std::string& each) {
    add_bytes(MYSQL_TYPE_VAR_STRING, each.data(), each.size());
  };
  value.match([&](const V::Null&) { add_bytes(MYSQL_TYPE_NULL, nullptr, 0); },
              [&](const V::Boolean& each) {
                add_number(MYSQL_TYPE_LONGLONG, &integers_.emplace_back(each.value ? 1 : 0));
              },
              [&](const V::Integer& each) { add_number(MYSQL_TYPE_LONGLONG, &each.value); },
              [&](const V::Real& each) { add_number(MYSQL_TYPE_DOUBLE, &each.value); },
              [&](const V::Decimal& each) {
                add_bytes(MYSQL_TYPE_NEWDECIMAL, each.value.data(), each.value.size());
              },
              [&](const V::Text& each) { text(each.value); },
              [&](const V::Binary& each) {
                add_bytes(MYSQL_TYPE_LONG_BLOB, each.value.data(), each.value.size());
              },
              [&](const V::Date& each) { text(each.value); },
              [&](const V::Time& each) { text(each.value); },
              [&](const V::Timestamp& each) { text(each.value); },
              // The session's time zone is UTC, and the server does not read the Z.
              [&](const V::Instant& each) {
                text(texts_.emplace_back(each.value.substr(0, each.value.size() - 1)));
              },
              [&](const V::Uuid& each) { text(each.value); },
              [&](const V::Json& each) { text(each.value); });
}

enum class RowReader::Kind : std::uint8_t {
  kBoolean,
  kInteger,
  kReal,
  kSingle,
  kDecimal,
  kDate,
  kTime,
  kTimestamp,
  kInstant,
  kText,
  kBinary,
  kUuid,
  kJson,
};

RowReader::Kind RowReader::kind_of(const MYSQL_FIELD& field) {
  std::string_view name = name_of(field);
  if (name == "uuid") return Kind::kUuid;
  if (name == "json") return Kind::kJson;
  // Addresses come as text.
  if (name == "inet4" || name == "inet6") return Kind::kText;
  switch (field.type) {
    case MYSQL_TYPE_TINY: return is_flag(field) ? Kind::kBoolean : Kind::kInteger;
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR: return Kind::kInteger;
    case MYSQL_TYPE_FLOAT: return Kind::kSingle;
    case MYSQL_TYPE_DOUBLE: return Kind::kReal;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL: return Kind::kDecimal;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE: return Kind::kDate;
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_TIME2: return Kind::kTime;
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_DATETIME2: return Kind::kTimestamp;
    case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_TIMESTAMP2: return Kind::kInstant;
    default: return field.charsetnr == kBinary ? Kind::kBinary : Kind::kText;
  }
}

RowReader::RowReader(MYSQL_STMT* statement) {
  std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> fields(mysql_stmt_result_metadata(statement),
                                                          mysql_free_result);
  if (fields == nullptr) return;
  unsigned count = mysql_num_fields(fields.get());
  for (unsigned i = 0; i < count; ++i) {
    const MYSQL_FIELD& field = *mysql_fetch_field_direct(fields.get(), i);
    columns_.push_back({std::string(field.name, field.name_length), std::string(name_of(field))});
    cells_.push_back({.kind = kind_of(field), .is_unsigned = (field.flags & UNSIGNED_FLAG) != 0});
  }
}

void RowReader::bind_cell(Cell& cell, MYSQL_BIND& bind) {
  bind.is_null = &cell.null;
  bind.length = &cell.size;
  bind.error = &cell.cut;
  switch (cell.kind) {
    case Kind::kBoolean:
    case Kind::kInteger:
      bind.buffer_type = MYSQL_TYPE_LONGLONG;
      bind.buffer = &cell.integer;
      bind.is_unsigned = cell.is_unsigned ? 1 : 0;
      return;
    case Kind::kReal:
      bind.buffer_type = MYSQL_TYPE_DOUBLE;
      bind.buffer = &cell.real;
      return;
    case Kind::kSingle:
      bind.buffer_type = MYSQL_TYPE_FLOAT;
      bind.buffer = &cell.single;
      return;
    case Kind::kDate:
    case Kind::kTime:
    case Kind::kTimestamp:
    case Kind::kInstant:
      bind.buffer_type = cell.kind == Kind::kDate   ? MYSQL_TYPE_DATE
                         : cell.kind == Kind::kTime ? MYSQL_TYPE_TIME
                                                    : MYSQL_TYPE_DATETIME;
      bind.buffer = &cell.time;
      bind.buffer_length = sizeof cell.time;
      return;
    default:
      // What is longer is taken after, when its size is known.
      constexpr std::size_t kRoom = 64;
      cell.bytes.resize(kRoom);
      bind.buffer_type = cell.kind == Kind::kBinary ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
      bind.buffer = cell.bytes.data();
      bind.buffer_length = cell.bytes.size();
  }
}

bool RowReader::bind(MYSQL_STMT* statement) {
  binds_.assign(cells_.size(), MYSQL_BIND{});
  for (std::size_t i = 0; i < cells_.size(); ++i) bind_cell(cells_[i], binds_[i]);
  return mysql_stmt_bind_result(statement, binds_.data()) == 0;
}

Value RowReader::value_of(MYSQL_STMT* statement, std::size_t index) {
  Cell& cell = cells_[index];
  if (cell.null != 0) return Value::null();
  std::optional<std::string> form;
  switch (cell.kind) {
    case Kind::kBoolean: return Value::boolean(cell.integer != 0);
    case Kind::kInteger:
      if (cell.is_unsigned && cell.integer < 0) {
        return Value::decimal(fmt::format("{}", static_cast<std::uint64_t>(cell.integer)));
      }
      return Value::integer(cell.integer);
    case Kind::kReal: return Value::real(cell.real);
    // The shortest number that is this one, as it is shown everywhere.
    case Kind::kSingle:
      return Value::real(std::strtod(fmt::format("{}", cell.single).c_str(), nullptr));
    case Kind::kDate:
      if ((form = date_form(date_of(cell.time)))) return Value::date(*std::move(form));
      return Value::text(date_of(cell.time));
    case Kind::kTime:
      if ((form = time_form(clock_of(cell.time)))) return Value::time(*std::move(form));
      return Value::text(clock_of(cell.time));
    case Kind::kTimestamp:
    case Kind::kInstant: {
      MYSQL_TIME clock = cell.time;
      clock.day = 0;
      auto text = date_of(cell.time) + "T" + clock_of(clock);
      if (cell.kind == Kind::kInstant && (form = instant_form(text + "Z"))) {
        return Value::instant(*std::move(form));
      }
      if ((form = timestamp_form(text))) return Value::timestamp(*std::move(form));
      return Value::text(std::move(text));
    }
    default: break;
  }
  std::string bytes(cell.size, '\0');
  if (cell.size <= binds_[index].buffer_length) {
    std::memcpy(bytes.data(), cell.bytes.data(), cell.size);
  } else {
    MYSQL_BIND whole{};
    whole.buffer_type = binds_[index].buffer_type;
    whole.buffer = bytes.data();
    whole.buffer_length = bytes.size();
    mysql_stmt_fetch_column(statement, &whole, static_cast<unsigned>(index), 0);
  }
  switch (cell.kind) {
    case Kind::kBinary: {
      auto view = as_bytes(bytes);
      return Value::binary(Bytes(view.begin(), view.end()));
    }
    case Kind::kDecimal:
      if ((form = decimal_form(bytes))) return Value::decimal(*std::move(form));
      break;
    case Kind::kUuid:
      if ((form = uuid_form(bytes))) return Value::uuid(*std::move(form));
      break;
    case Kind::kJson: return Value::json(std::move(bytes));
    default: break;
  }
  return Value::text(std::move(bytes));
}

Row RowReader::row(MYSQL_STMT* statement, std::size_t& bytes) {
  Row cells;
  cells.reserve(cells_.size());
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    cells.push_back(value_of(statement, i));
    bytes += size_of(cells.back());
  }
  return cells;
}

bool loses_connection(unsigned number) {
  constexpr unsigned kKilled = 1927;
  constexpr unsigned kOwnFirst = 2000;  // libmariadb's own numbers.
  constexpr unsigned kOwnLast = 2029;
  return number == ER_SERVER_SHUTDOWN || number == ER_NET_PACKET_TOO_LARGE || number == kKilled ||
         (number >= kOwnFirst && number <= kOwnLast);
}

Failure failure_of(unsigned number, std::string_view state, std::string message) {
  auto constraint = [&](ConstraintKind kind) {
    return Failure::constraint({kind, std::move(message)});
  };
  constexpr unsigned kCheckFailed = 4025;
  constexpr unsigned kCheckFailedInMySql = 3819;
  constexpr unsigned kTookTooLong = 1969;
  constexpr unsigned kTookTooLongInMySql = 3024;
  switch (number) {
    case ER_DUP_ENTRY:
    case ER_DUP_UNIQUE:
    case ER_DUP_ENTRY_WITH_KEY_NAME: return constraint(ConstraintKind::kUnique);
    case ER_NO_REFERENCED_ROW:
    case ER_NO_REFERENCED_ROW_2:
    case ER_ROW_IS_REFERENCED:
    case ER_ROW_IS_REFERENCED_2: return constraint(ConstraintKind::kForeignKey);
    case ER_BAD_NULL_ERROR:
    case ER_NO_DEFAULT_FOR_FIELD: return constraint(ConstraintKind::kNotNull);
    case kCheckFailed:
    case kCheckFailedInMySql: return constraint(ConstraintKind::kCheck);
    case ER_CHECKREAD:
    case ER_LOCK_DEADLOCK:
    case CR_NEW_STMT_METADATA: return Failure::conflict(std::move(message));
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_QUERY_INTERRUPTED:
    case kTookTooLong:
    case kTookTooLongInMySql: return Failure::timeout("the statement took longer than it may");
    case ER_ACCESS_DENIED_ERROR:
    case ER_DBACCESS_DENIED_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_COLUMNACCESS_DENIED_ERROR:
    case ER_SPECIFIC_ACCESS_DENIED_ERROR:
    case ER_OPTION_PREVENTS_STATEMENT:
    case 1698:  // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
    case 1792:  // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
      return Failure::access_denied(std::move(message));
    case ER_CON_COUNT_ERROR:
    case ER_TOO_MANY_USER_CONNECTIONS:
    case ER_USER_LIMIT_REACHED: return Failure::busy(std::move(message));
    case ER_DISK_FULL:
    case ER_RECORD_FILE_FULL:
    case ER_NET_PACKET_TOO_LARGE:
    case CR_NET_PACKET_TOO_LARGE: return Failure::limit(std::move(message));
    default: break;
  }
  if (loses_connection(number)) return Failure::unavailable(std::move(message));
  if (state.starts_with("22")) return Failure::invalid_parameter(std::move(message));
  if (state.starts_with("42") || state.starts_with("25")) {
    return Failure::invalid_sql(std::move(message));
  }
  return Failure::other(std::move(message));
}

}  // namespace weft::sql::mysql
