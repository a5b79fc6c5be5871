#include "capabilities/sql/drivers/sqlite_statement.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "capabilities/sql/forms.h"
#include "door/codec.h"

namespace weft::sql::sqlite {
namespace {

std::string in_capitals(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    out.push_back(c == '\t' || c == '\n' ? ' ' : c);
  }
  return out;
}

// The number behind the comma of "DECIMAL(10, 2)"; none behind it means none in the value.
int places_of(std::string_view declared) {
  auto open = declared.find('(');
  if (open == declared.npos) return -1;
  auto comma = declared.find(',', open);
  if (comma == declared.npos) return 0;
  auto rest = declared.substr(comma + 1);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  int places = -1;
  std::from_chars(rest.data(), rest.data() + rest.size(), places);
  constexpr int kPlacesMax = 30;
  return std::min(places, kPlacesMax);
}

// SQLite's own functions write a space where the interface has a T, and take an instant for UTC.
std::string stored_timestamp(std::string_view form) {
  std::string text(form);
  text[10] = ' ';
  if (text.ends_with('Z')) text.pop_back();
  return text;
}

Or<void> bind_decimal(sqlite3_stmt* statement, int at, const std::string& form) {
  std::int64_t whole = 0;
  auto [end, problem] = std::from_chars(form.data(), form.data() + form.size(), whole);
  if (problem == std::errc() && end == form.data() + form.size()) {
    sqlite3_bind_int64(statement, at, whole);
    return {};
  }
  std::string digits;
  std::ranges::copy_if(form, std::back_inserter(digits),
                       [](char c) { return c >= '0' && c <= '9'; });
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.size() > kDecimalDigits) {
    return failed(Failure::invalid_parameter(fmt::format(
        "parameter {}: a decimal of {} digits: SQLite keeps {}; a text in a column declared TEXT "
        "keeps all",
        at, digits.size(), kDecimalDigits)));
  }
  double value = 0;
  std::from_chars(form.data(), form.data() + form.size(), value);
  sqlite3_bind_double(statement, at, value);
  return {};
}

void bind_text(sqlite3_stmt* statement, int at, const std::string& text) {
  sqlite3_bind_text64(statement, at, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void bind_copy(sqlite3_stmt* statement, int at, const std::string& text) {
  sqlite3_bind_text64(statement, at, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

Or<void> bind_one(sqlite3_stmt* statement, int at, const Value& value) {
  using V = Value;
  Or<void> done;
  value.match(
      [&](const V::Null&) { sqlite3_bind_null(statement, at); },
      [&](const V::Boolean& each) { sqlite3_bind_int(statement, at, each.value ? 1 : 0); },
      [&](const V::Integer& each) { sqlite3_bind_int64(statement, at, each.value); },
      [&](const V::Real& each) { sqlite3_bind_double(statement, at, each.value); },
      [&](const V::Decimal& each) { done = bind_decimal(statement, at, each.value); },
      [&](const V::Binary& each) {
        // A blob without bytes has to have a place, or it is a null.
        const void* data = each.value.empty() ? "" : static_cast<const void*>(each.value.data());
        sqlite3_bind_blob64(statement, at, data, each.value.size(), SQLITE_STATIC);
      },
      [&](const V::Timestamp& each) { bind_copy(statement, at, stored_timestamp(each.value)); },
      [&](const V::Instant& each) { bind_copy(statement, at, stored_timestamp(each.value)); },
      [&](const auto& each) { bind_text(statement, at, each.value); });
  return done;
}

// A number of SQLite's as decimal text with so many places.
std::optional<std::string> decimal_of(double number, int places) {
  if (!std::isfinite(number)) return std::nullopt;
  // As many digits as a decimal may have had when it was stored, and no exponent.
  auto shortest = fmt::format("{:.{}g}", number, kDecimalDigits);
  double rounded = 0;
  std::from_chars(shortest.data(), shortest.data() + shortest.size(), rounded);
  auto text = fmt::format("{:.{}f}", rounded, places >= 0 ? places : 30);
  if (places >= 0) return decimal_form(text);
  auto plain = shortest.contains('e') ? text : shortest;
  if (plain.contains('.')) {
    plain.erase(plain.find_last_not_of('0') + 1);
    if (plain.ends_with('.')) plain.pop_back();
  }
  return decimal_form(plain);
}

Value integer_cell(std::int64_t number, ColumnType type) {
  switch (type.declared) {
    case Declared::kBoolean:
      if (number == 0 || number == 1) return Value::boolean(number == 1);
      break;
    case Declared::kDecimal: {
      auto text = fmt::format("{}", number);
      if (type.places > 0) text += '.' + std::string(static_cast<std::size_t>(type.places), '0');
      return Value::decimal(std::move(text));
    }
    case Declared::kJson: return Value::json(fmt::format("{}", number));
    default: break;
  }
  return Value::integer(number);
}

Value real_cell(double number, ColumnType type) {
  if (type.declared == Declared::kDecimal) {
    if (auto text = decimal_of(number, type.places)) return Value::decimal(*std::move(text));
  }
  if (type.declared == Declared::kJson && std::isfinite(number)) {
    return Value::json(fmt::format("{}", number));
  }
  return Value::real(number);
}

Value text_cell(std::string text, Declared declared) {
  std::optional<std::string> form;
  switch (declared) {
    case Declared::kDecimal:
      if ((form = decimal_form(text))) return Value::decimal(*std::move(form));
      break;
    case Declared::kDate:
      if ((form = date_form(text))) return Value::date(*std::move(form));
      break;
    case Declared::kTime:
      if ((form = time_form(text))) return Value::time(*std::move(form));
      break;
    case Declared::kTimestamp:
      if ((form = timestamp_form(text))) return Value::timestamp(*std::move(form));
      break;
    case Declared::kInstant:
      if ((form = timestamp_form(text))) return Value::instant(*std::move(form) + 'Z');
      if ((form = instant_form(text))) return Value::instant(*std::move(form));
      break;
    case Declared::kUuid:
      if ((form = uuid_form(text))) return Value::uuid(*std::move(form));
      break;
    case Declared::kJson: return Value::json(std::move(text));
    default: break;
  }
  return Value::text(std::move(text));
}

}  // namespace

ColumnType column_type(std::string_view declared) {
  std::string type = in_capitals(declared);
  auto begins = [&](std::string_view name) { return type.starts_with(name); };
  bool zoned = type.contains("WITH TIME ZONE") || begins("TIMESTAMPTZ");
  if (begins("BOOL")) return {Declared::kBoolean};
  if (begins("DECIMAL") || begins("NUMERIC")) return {Declared::kDecimal, places_of(type)};
  if (begins("TIMESTAMP")) return {zoned ? Declared::kInstant : Declared::kTimestamp};
  if (begins("DATETIME")) return {Declared::kTimestamp};
  if (begins("DATE")) return {Declared::kDate};
  if (begins("TIME")) return {Declared::kTime};
  if (begins("UUID")) return {Declared::kUuid};
  if (begins("JSON")) return {Declared::kJson};
  return {};
}

Or<void> bind_values(sqlite3_stmt* statement, std::span<const Value> values) {
  int wanted = sqlite3_bind_parameter_count(statement);
  for (int i = 1; i <= wanted; ++i) {
    const char* name = sqlite3_bind_parameter_name(statement, i);
    if (name == nullptr) continue;
    return failed(Failure::invalid_sql(
        fmt::format("a placeholder {}: write ? for each parameter, in their order", name)));
  }
  if (static_cast<std::size_t>(wanted) != values.size()) {
    return failed(Failure::invalid_parameter(fmt::format(
        "{} parameters for a statement with {} question marks", values.size(), wanted)));
  }
  for (int i = 1; i <= wanted; ++i) {
    auto bound = bind_one(statement, i, values[static_cast<std::size_t>(i - 1)]);
    if (!bound) return bound;
  }
  return {};
}

RowReader::RowReader(sqlite3_stmt* statement) : statement_(statement) {
  int count = sqlite3_column_count(statement);
  for (int i = 0; i < count; ++i) {
    const char* name = sqlite3_column_name(statement, i);
    const char* declared = sqlite3_column_decltype(statement, i);
    columns_.push_back({name != nullptr ? name : "", declared != nullptr ? declared : ""});
    types_.push_back(column_type(columns_.back().declared_type));
  }
}

Or<Row> RowReader::read(std::size_t& bytes) const {
  Row row;
  row.reserve(types_.size());
  for (std::size_t i = 0; i < types_.size(); ++i) {
    auto value = cell(static_cast<int>(i));
    if (!value) return failed(std::move(value).error());
    bytes += size_of(*value);
    row.push_back(*std::move(value));
  }
  return row;
}

Or<Value> RowReader::cell(int column) const {
  ColumnType type = types_[static_cast<std::size_t>(column)];
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_NULL: return Value::null();
    case SQLITE_INTEGER: return integer_cell(sqlite3_column_int64(statement_, column), type);
    case SQLITE_FLOAT: return real_cell(sqlite3_column_double(statement_, column), type);
    case SQLITE_BLOB: {
      const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
      auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
      return Value::binary(data == nullptr ? Bytes() : Bytes(data, data + size));
    }
    default: break;
  }
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  if (data == nullptr) return failed(Failure::limit("there is no memory for a cell"));
  std::string text(data, size);
  if (!is_utf8(text)) {
    return failed(Failure::other(fmt::format(
        "the text in column {} is not UTF-8: read it with CAST(... AS BLOB)", column + 1)));
  }
  return text_cell(std::move(text), type.declared);
}

}  // namespace weft::sql::sqlite
