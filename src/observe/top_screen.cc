#include "observe/top_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <vector>

namespace weft {
namespace {

namespace json = boost::json;

// A host of another version may leave out what this one knows: that is 0, or empty.
double number(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}
std::string text(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  // Control characters of a name stay out of the terminal.
  std::string plain(value->as_string());
  std::ranges::replace_if(plain, [](char c) { return static_cast<unsigned char>(c) < ' '; }, '?');
  return plain;
}
json::object inner(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_object() ? value->as_object() : json::object();
}
json::array list(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_array() ? value->as_array() : json::array();
}

std::string count_text(double value) {
  constexpr double kMany = 10'000'000;
  return value >= kMany ? fmt::format("{:.1f}M", value / 1e6) : fmt::format("{:.0f}", value);
}
std::string bytes_text(double value) {
  static constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", value, unit == 0 || value >= 100 ? 0 : 1, kUnits[unit]);
}
std::string ms_text(double ms) {
  if (ms >= 1000) return fmt::format("{:.1f} s", ms / 1000);
  if (ms >= 10) return fmt::format("{:.0f} ms", ms);
  if (ms >= 0.1) return fmt::format("{:.2f} ms", ms);
  return fmt::format("{:.0f} us", ms * 1000);
}

// A table whose columns are as wide as their widest cell; those of numbers are flush right.
class Table {
 public:
  // The first `texts` columns are texts.
  Table(std::size_t texts, std::vector<std::string> head) : texts_(texts) {
    rows_.push_back(std::move(head));
  }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.size() == 1; }

  void write(std::vector<std::string>& lines) const {
    std::vector<std::size_t> widths(rows_[0].size());
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) {
        line += i < texts_ ? fmt::format("{:<{}}  ", row[i], widths[i])
                           : fmt::format("{:>{}}  ", row[i], widths[i]);
      }
      lines.push_back(std::move(line));
    }
    lines.emplace_back();
  }

 private:
  std::size_t texts_;
  std::vector<std::vector<std::string>> rows_;
};

void write_host(std::vector<std::string>& lines, const json::object& data) {
  json::object now = inner(data, "now");
  json::object totals = inner(data, "totals");
  json::object process = inner(data, "process");
  std::string urls;
  for (const json::value& url : list(data, "urls")) {
    if (url.is_string()) urls += fmt::format("  {}", std::string_view(url.as_string()));
  }
  lines.push_back(fmt::format("weft {} {}{}   up {:.0f} s   {:.0f} loops", text(data, "version"),
                              text(data, "state"), urls, number(data, "uptime_s"),
                              number(data, "loops")));
  lines.push_back(fmt::format(
      "requests {:.1f}/s   errors {:.1f}/s   p50 {}   p90 {}   p99 {}   under way {}   "
      "connections {}",
      number(now, "requests"), number(now, "errors"), ms_text(number(now, "p50_ms")),
      ms_text(number(now, "p90_ms")), ms_text(number(now, "p99_ms")),
      count_text(number(totals, "in_flight")), count_text(number(data, "connections"))));
  lines.push_back(
      fmt::format("processor {:.0f} %   memory {}   traps {}   limits hit {}",
                  100 * number(now, "cpu"), bytes_text(number(process, "resident_bytes")),
                  count_text(number(totals, "traps")), count_text(number(totals, "limits"))));
  lines.emplace_back();
}

void write_routes(std::vector<std::string>& lines, const json::object& data) {
  Table table(3, {"APP", "ROUTE", "SERVED BY", "REQUESTS", "NOW", "2XX", "4XX", "5XX", "P50", "P99",
                  "OUT"});
  for (const json::value& value : list(data, "routes")) {
    if (!value.is_object()) continue;
    const json::object& each = value.as_object();
    json::object status = inner(each, "status");
    json::object time = inner(each, "time");
    std::string route = text(each, "route");
    table.add({text(each, "app"), route.empty() ? "(no route)" : route, text(each, "component"),
               count_text(number(each, "requests")), count_text(number(each, "in_flight")),
               count_text(number(status, "2xx")), count_text(number(status, "4xx")),
               count_text(number(status, "5xx")), ms_text(number(time, "p50_ms")),
               ms_text(number(time, "p99_ms")), bytes_text(number(each, "bytes_out"))});
  }
  table.write(lines);
}

void write_components(std::vector<std::string>& lines, const json::object& data) {
  Table table(2, {"APP", "COMPONENT", "INSTANCES", "PROCESSOR", "MEMORY", "TRAPS", "LIMITS"});
  for (const json::value& value : list(data, "components")) {
    if (!value.is_object()) continue;
    const json::object& each = value.as_object();
    table.add({text(each, "app"), text(each, "component"), count_text(number(each, "instances")),
               ms_text(1000 * number(each, "cpu_s")), bytes_text(number(each, "memory_peak_bytes")),
               count_text(number(each, "traps")), count_text(number(each, "limits_total"))});
  }
  table.write(lines);
}

void write_calls(std::vector<std::string>& lines, const json::object& data) {
  Table table(4, {"APP", "COMPONENT", "CAPABILITY", "DRIVER", "CALLS", "FAILURES", "P50", "P99"});
  for (const json::value& value : list(data, "calls")) {
    if (!value.is_object()) continue;
    const json::object& each = value.as_object();
    json::object time = inner(each, "time");
    table.add({text(each, "app"), text(each, "component"), text(each, "capability"),
               text(each, "driver"), count_text(number(each, "calls")),
               count_text(number(each, "failures")), ms_text(number(time, "p50_us") / 1000),
               ms_text(number(time, "p99_us") / 1000)});
  }
  if (!table.empty()) table.write(lines);
}

}  // namespace

Result<std::string> top_screen(std::string_view overview, TerminalSize size) {
  boost::system::error_code problem;
  json::value value = json::parse(json::string_view(overview.data(), overview.size()), problem);
  if (problem || !value.is_object()) {
    return failure(Errc::kInvalid, "what answers there is no weft: its /api/overview is no JSON");
  }
  std::vector<std::string> lines;
  write_host(lines, value.as_object());
  write_routes(lines, value.as_object());
  write_components(lines, value.as_object());
  write_calls(lines, value.as_object());
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  if (size.rows > 1 && lines.size() >= size.rows) {
    std::size_t left = lines.size() - (size.rows - 2);
    lines.resize(size.rows - 2);
    lines.push_back(fmt::format("... {} more lines", left));
  }
  std::string out;
  for (const std::string& line : lines) {
    std::string_view shown = std::string_view(line).substr(0, size.columns);
    shown.remove_suffix(shown.size() - (shown.find_last_not_of(' ') + 1));
    out += shown;
    out += '\n';
  }
  return out;
}

}  // namespace weft
