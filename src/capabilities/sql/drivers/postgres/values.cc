#include "capabilities/sql/drivers/postgres/values.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "capabilities/sql/forms.h"

namespace weft::sql::postgres {
namespace {

// Numbers of types that PostgreSQL has had from the beginning and keeps (pg_type.dat).
enum Type : Oid {
  kAny = 0,  // As the statement wants it.
  kBool = 16,
  kBytea = 17,
  kName = 19,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kText = 25,
  kOid = 26,
  kJson = 114,
  kFloat4 = 700,
  kFloat8 = 701,
  kBpchar = 1042,
  kVarchar = 1043,
  kDate = 1082,
  kTime = 1083,
  kTimestamp = 1114,
  kTimestamptz = 1184,
  kNumeric = 1700,
  kUuid = 2950,
  kJsonb = 3802,
};

std::string_view name_of(Oid type) {
  switch (type) {
    case kBool: return "boolean";
    case kBytea: return "bytea";
    case kName: return "name";
    case kInt8: return "bigint";
    case kInt2: return "smallint";
    case kInt4: return "integer";
    case kText: return "text";
    case kOid: return "oid";
    case kJson: return "json";
    case kFloat4: return "real";
    case kFloat8: return "double precision";
    case kBpchar: return "character";
    case kVarchar: return "varchar";
    case kDate: return "date";
    case kTime: return "time";
    case kTimestamp: return "timestamp";
    case kTimestamptz: return "timestamptz";
    case kNumeric: return "numeric";
    case kUuid: return "uuid";
    case kJsonb: return "jsonb";
    default: return "";
  }
}

// "\x00ff" as bytes.
std::optional<Bytes> bytes_of(std::string_view text) {
  if (!text.starts_with("\\x") || text.size() % 2 != 0) return std::nullopt;
  text.remove_prefix(2);
  Bytes bytes(text.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto [end, problem] =
        std::from_chars(text.data() + 2 * i, text.data() + 2 * i + 2, bytes[i], 16);
    if (problem != std::errc() || end != text.data() + 2 * i + 2) return std::nullopt;
  }
  return bytes;
}

Value value_of(Oid type, std::string_view text) {
  std::optional<std::string> form;
  switch (type) {
    case kBool: return Value::boolean(text == "t");
    case kInt2:
    case kInt4:
    case kInt8:
    case kOid: {
      std::int64_t number = 0;
      std::from_chars(text.data(), text.data() + text.size(), number);
      return Value::integer(number);
    }
    case kFloat4:
    case kFloat8: return Value::real(std::strtod(std::string(text).c_str(), nullptr));
    case kNumeric:
      if ((form = decimal_form(text))) return Value::decimal(*std::move(form));
      break;
    case kBytea:
      if (auto bytes = bytes_of(text)) return Value::binary(*std::move(bytes));
      break;
    case kDate:
      if ((form = date_form(text))) return Value::date(*std::move(form));
      break;
    case kTime:
      if ((form = time_form(text))) return Value::time(*std::move(form));
      break;
    case kTimestamp:
      if ((form = timestamp_form(text))) return Value::timestamp(*std::move(form));
      break;
    case kTimestamptz:
      if ((form = instant_form(text))) return Value::instant(*std::move(form));
      break;
    case kUuid:
      if ((form = uuid_form(text))) return Value::uuid(*std::move(form));
      break;
    case kJson:
    case kJsonb: return Value::json(std::string(text));
    default: break;
  }
  // Among others what has no form: a date that is "infinity".
  return Value::text(std::string(text));
}

ConstraintKind constraint_of(std::string_view state) {
  if (state == "23505" || state == "23P01") return ConstraintKind::kUnique;
  if (state == "23503") return ConstraintKind::kForeignKey;
  if (state == "23502") return ConstraintKind::kNotNull;
  if (state == "23514") return ConstraintKind::kCheck;
  return ConstraintKind::kOther;
}

}  // namespace

Parameters::Parameters(std::span<const Value> values) {
  own_.reserve(values.size());
  for (const Value& each : values) add(each);
}

std::string Parameters::key(const std::string& text) const {
  std::string key;
  key.reserve(text.size() + types_.size() * sizeof(Oid));
  key.append(reinterpret_cast<const char*>(types_.data()), types_.size() * sizeof(Oid));
  return key += text;
}

void Parameters::add_text(Oid type, const std::string& text) {
  types_.push_back(type);
  values_.push_back(text.c_str());
  lengths_.push_back(static_cast<int>(text.size()));
  formats_.push_back(0);
}

void Parameters::add_own(Oid type, std::string text) {
  own_.push_back(std::move(text));
  add_text(type, own_.back());
}

void Parameters::add(const Value& value) {
  using V = Value;
  value.match(
      [&](const V::Null&) {
        types_.push_back(kAny);
        values_.push_back(nullptr);
        lengths_.push_back(0);
        formats_.push_back(0);
      },
      [&](const V::Boolean& each) { add_own(kBool, each.value ? "t" : "f"); },
      [&](const V::Integer& each) { add_own(kInt8, fmt::format("{}", each.value)); },
      [&](const V::Real& each) { add_own(kFloat8, fmt::format("{}", each.value)); },
      [&](const V::Decimal& each) { add_text(kNumeric, each.value); },
      // A text is whatever its place in the statement wants.
      [&](const V::Text& each) { add_text(kAny, each.value); },
      [&](const V::Binary& each) {
        types_.push_back(kBytea);
        values_.push_back(each.value.empty() ? ""
                                             : reinterpret_cast<const char*>(each.value.data()));
        lengths_.push_back(static_cast<int>(each.value.size()));
        formats_.push_back(1);
      },
      [&](const V::Date& each) { add_text(kDate, each.value); },
      [&](const V::Time& each) { add_text(kTime, each.value); },
      [&](const V::Timestamp& each) { add_text(kTimestamp, each.value); },
      [&](const V::Instant& each) { add_text(kTimestamptz, each.value); },
      [&](const V::Uuid& each) { add_text(kUuid, each.value); },
      [&](const V::Json& each) { add_text(kJson, each.value); });
}

std::vector<Column> columns_of(const PGresult* result) {
  std::vector<Column> columns;
  for (int i = 0; i < PQnfields(result); ++i) {
    columns.push_back({PQfname(result, i), std::string(name_of(PQftype(result, i)))});
  }
  return columns;
}

Row row_of(const PGresult* result, int row, std::size_t& bytes) {
  Row cells;
  int count = PQnfields(result);
  cells.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    if (PQgetisnull(result, row, i) != 0) {
      cells.push_back(Value::null());
    } else {
      auto size = static_cast<std::size_t>(PQgetlength(result, row, i));
      cells.push_back(value_of(PQftype(result, i), {PQgetvalue(result, row, i), size}));
    }
    bytes += size_of(cells.back());
  }
  return cells;
}

Failure failure_of(const PGresult* result) {
  const char* code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  std::string_view state = code != nullptr ? code : "";
  std::string message = primary != nullptr ? primary : PQresultErrorMessage(result);
  auto of = [&](std::string_view group) { return state.starts_with(group); };
  if (of("23")) return Failure::constraint({constraint_of(state), std::move(message)});
  if (state == "40001" || state == "40P01" || state == "55P03")
    return Failure::conflict(std::move(message));
  if (state == "57014") return Failure::timeout("the statement took longer than it may");
  if (state == "25P03") return Failure::ended(std::move(message));
  if (state == "42501" || state == "25006" || of("28"))
    return Failure::access_denied(std::move(message));
  if (state == "53300") return Failure::busy(std::move(message));
  if (of("22")) return Failure::invalid_parameter(std::move(message));
  if (of("42") || of("26") || of("34") || of("3D") || of("3F") || of("0A") || of("25")) {
    return Failure::invalid_sql(std::move(message));
  }
  if (of("53") || of("54")) return Failure::limit(std::move(message));
  if (of("08") || of("57") || of("58")) return Failure::unavailable(std::move(message));
  if (state.empty()) {
    // libpq's own words, on more than one line.
    message = message.substr(0, message.find('\n'));
    return Failure::unavailable(message + ": it is not known whether the statement was done");
  }
  return Failure::other(std::move(message));
}

}  // namespace weft::sql::postgres
