#include "capabilities/sql/forms.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <chrono>
#include <cmath>
#include <cstdint>

namespace weft::sql {
namespace {

namespace ch = std::chrono;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Takes what it reads off the front of a text.
class Scan {
 public:
  explicit Scan(std::string_view text) : text_(text) {}

  bool at_end() const { return text_.empty(); }
  std::string_view rest() const { return text_; }
  bool take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  // A number of exactly so many digits.
  std::optional<int> number(std::size_t digits) {
    if (text_.size() < digits) return std::nullopt;
    int value = 0;
    for (char c : text_.substr(0, digits)) {
      if (!is_digit(c)) return std::nullopt;
      value = value * 10 + (c - '0');
    }
    text_.remove_prefix(digits);
    return value;
  }
  std::string_view digits() {
    auto end = std::ranges::find_if_not(text_, is_digit);
    auto found = text_.substr(0, static_cast<std::size_t>(end - text_.begin()));
    text_.remove_prefix(found.size());
    return found;
  }

 private:
  std::string_view text_;
};

std::optional<ch::sys_days> take_date(Scan& scan) {
  auto year = scan.number(4);
  if (!year || *year == 0 || !scan.take('-')) return std::nullopt;
  auto month = scan.number(2);
  if (!month || !scan.take('-')) return std::nullopt;
  auto day = scan.number(2);
  if (!day) return std::nullopt;
  ch::year_month_day date(ch::year(*year), ch::month(static_cast<unsigned>(*month)),
                          ch::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return ch::sys_days(date);
}

std::optional<ch::microseconds> take_time(Scan& scan) {
  auto hour = scan.number(2);
  if (!hour || *hour > 23 || !scan.take(':')) return std::nullopt;
  auto minute = scan.number(2);
  if (!minute || *minute > 59 || !scan.take(':')) return std::nullopt;
  auto second = scan.number(2);
  if (!second || *second > 59) return std::nullopt;
  ch::microseconds time = ch::hours(*hour) + ch::minutes(*minute) + ch::seconds(*second);
  if (!scan.take('.')) return time;
  std::string_view fraction = scan.digits();
  if (fraction.empty() || fraction.size() > 6) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    value = value * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
  }
  return time + ch::microseconds(value);
}

// How far the clock is ahead of UTC.
std::optional<ch::minutes> take_offset(Scan& scan) {
  if (scan.take('Z') || scan.take('z')) return ch::minutes(0);
  bool behind = scan.take('-');
  if (!behind && !scan.take('+')) return std::nullopt;
  auto hours = scan.number(2);
  if (!hours || *hours > 15) return std::nullopt;
  ch::minutes offset = ch::hours(*hours);
  if (!scan.at_end()) {
    scan.take(':');
    auto minutes = scan.number(2);
    if (!minutes || *minutes > 59) return std::nullopt;
    offset += ch::minutes(*minutes);
  }
  return behind ? -offset : offset;
}

std::string date_text(ch::sys_days day) {
  ch::year_month_day date(day);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

std::string time_text(ch::microseconds time) {
  auto seconds = ch::floor<ch::seconds>(time);
  auto all = seconds.count();
  auto text = fmt::format("{:02}:{:02}:{:02}", all / 3600, all / 60 % 60, all % 60);
  auto fraction = (time - seconds).count();
  if (fraction == 0) return text;
  text += fmt::format(".{:06}", fraction);
  text.erase(text.find_last_not_of('0') + 1);
  return text;
}

std::optional<ch::sys_time<ch::microseconds>> take_timestamp(Scan& scan) {
  auto date = take_date(scan);
  if (!date || !(scan.take('T') || scan.take(' ') || scan.take('t'))) return std::nullopt;
  auto time = take_time(scan);
  if (!time) return std::nullopt;
  return *date + *time;
}

std::string timestamp_text(ch::sys_time<ch::microseconds> at) {
  auto day = ch::floor<ch::days>(at);
  return fmt::format("{}T{}", date_text(day), time_text(at - day));
}

std::string_view name_of(const Value& value) {
  using V = Value;
  if (value.is<V::Decimal>()) return "a decimal";
  if (value.is<V::Date>()) return "a date";
  if (value.is<V::Time>()) return "a time";
  if (value.is<V::Timestamp>()) return "a timestamp";
  if (value.is<V::Instant>()) return "an instant";
  if (value.is<V::Uuid>()) return "a UUID";
  return "a JSON text";
}

}  // namespace

std::optional<std::string> decimal_form(std::string_view text) {
  Scan scan(text);
  bool negative = scan.take('-');
  if (!negative) scan.take('+');
  std::string_view whole = scan.digits();
  std::string_view fraction;
  if (scan.take('.')) {
    fraction = scan.digits();
    if (fraction.empty()) return std::nullopt;
  }
  if (whole.empty() || !scan.at_end() || whole.size() + fraction.size() > kDecimalDigitsMax) {
    return std::nullopt;
  }
  whole.remove_prefix(std::min(whole.find_first_not_of('0'), whole.size() - 1));
  bool zero = whole == "0" && fraction.find_first_not_of('0') == fraction.npos;
  std::string form = negative && !zero ? "-" : "";
  form += whole;
  if (!fraction.empty()) {
    form += '.';
    form += fraction;
  }
  return form;
}

std::optional<std::string> date_form(std::string_view text) {
  Scan scan(text);
  auto date = take_date(scan);
  if (!date || !scan.at_end()) return std::nullopt;
  return date_text(*date);
}

std::optional<std::string> time_form(std::string_view text) {
  Scan scan(text);
  auto time = take_time(scan);
  if (!time || !scan.at_end()) return std::nullopt;
  return time_text(*time);
}

std::optional<std::string> timestamp_form(std::string_view text) {
  Scan scan(text);
  auto at = take_timestamp(scan);
  if (!at || !scan.at_end()) return std::nullopt;
  return timestamp_text(*at);
}

std::optional<std::string> instant_form(std::string_view text) {
  Scan scan(text);
  auto at = take_timestamp(scan);
  if (!at) return std::nullopt;
  auto offset = take_offset(scan);
  if (!offset || !scan.at_end()) return std::nullopt;
  *at -= *offset;
  int year = static_cast<int>(ch::year_month_day(ch::floor<ch::days>(*at)).year());
  if (year < 1 || year > 9999) return std::nullopt;
  return timestamp_text(*at) + 'Z';
}

std::optional<std::string> uuid_form(std::string_view text) {
  constexpr std::size_t kSize = 36;
  if (text.size() != kSize) return std::nullopt;
  std::string form(text);
  for (std::size_t i = 0; i < kSize; ++i) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (form[i] == '-')) return std::nullopt;
    if (dash || is_digit(form[i])) continue;
    if (form[i] >= 'A' && form[i] <= 'F') form[i] = static_cast<char>(form[i] - 'A' + 'a');
    if (form[i] < 'a' || form[i] > 'f') return std::nullopt;
  }
  return form;
}

std::optional<std::string> json_form(std::string_view text) {
  constexpr std::size_t kDepthMax = 256;
  boost::json::error_code problem;
  boost::json::parse_options options;
  options.max_depth = kDepthMax;
  static_cast<void>(boost::json::parse(text, problem, {}, options));
  if (problem) return std::nullopt;
  return std::string(text);
}

Or<void> check_parameter(Value& value) {
  auto keep = [&](auto& each, std::optional<std::string> form) -> Or<void> {
    if (form) {
      each.value = *std::move(form);
      return {};
    }
    constexpr std::size_t kShown = 60;
    return failed(Failure::invalid_parameter(
        fmt::format("\"{}\"{} is not {}", each.value.substr(0, kShown),
                    each.value.size() > kShown ? " ..." : "", name_of(value))));
  };
  using V = Value;
  if (auto* each = value.as<V::Decimal>()) return keep(*each, decimal_form(each->value));
  if (auto* each = value.as<V::Date>()) return keep(*each, date_form(each->value));
  if (auto* each = value.as<V::Time>()) return keep(*each, time_form(each->value));
  if (auto* each = value.as<V::Timestamp>()) return keep(*each, timestamp_form(each->value));
  if (auto* each = value.as<V::Instant>()) return keep(*each, instant_form(each->value));
  if (auto* each = value.as<V::Uuid>()) return keep(*each, uuid_form(each->value));
  if (auto* each = value.as<V::Json>()) return keep(*each, json_form(each->value));
  if (auto* each = value.as<V::Real>(); each != nullptr && !std::isfinite(each->value)) {
    return failed(Failure::invalid_parameter("a real is finite: this one is not a number"));
  }
  if (auto* each = value.as<V::Text>(); each != nullptr && each->value.contains('\0')) {
    return failed(Failure::invalid_parameter("a text has no NUL: use a binary for bytes"));
  }
  return {};
}

}  // namespace weft::sql
