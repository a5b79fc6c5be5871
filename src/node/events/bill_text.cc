#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/json_text.h"
#include "node/events/bill.h"

namespace weft::node::events {
namespace {

constexpr double kNsPerS = 1e9;
constexpr std::size_t kColumns = 10;
using Row = std::array<std::string, kColumns>;

std::string_view by_text(BillBy by) {
  return by == BillBy::kKey ? "key" : "group";
}

std::string seconds(std::uint64_t ns) {
  return fmt::format("{:.3f}", static_cast<double>(ns) / kNsPerS);
}

std::string size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

Row row_of(const BillLine& line) {
  return {line.who,
          fmt::format("{}", line.events),
          fmt::format("{}", line.refused),
          seconds(line.cpu_ns),
          seconds(line.compile_ns),
          size(line.memory_byte_s) + " s",
          size(line.memory_peak_bytes),
          size(line.bytes_in),
          size(line.bytes_out),
          size(line.stored_bytes)};
}

// The numbers of a line with their names, as JSON and CSV have them.
std::array<std::pair<std::string_view, std::uint64_t>, kColumns - 1> numbers(const BillLine& line) {
  return {{{"events", line.events},
           {"refused", line.refused},
           {"cpu_ns", line.cpu_ns},
           {"compile_ns", line.compile_ns},
           {"memory_byte_s", line.memory_byte_s},
           {"memory_peak_bytes", line.memory_peak_bytes},
           {"bytes_in", line.bytes_in},
           {"bytes_out", line.bytes_out},
           {"stored_bytes", line.stored_bytes}}};
}

void append_numbers(std::string& out, const BillLine& line) {
  std::string_view between;
  for (auto [name, value] : numbers(line)) {
    fmt::format_to(std::back_inserter(out), "{}\"{}\":{}", std::exchange(between, ","), name,
                   value);
  }
}

std::string csv_text(std::string_view text) {
  // A spreadsheet takes what begins so for a formula.
  bool formula = !text.empty() && std::string_view("=+-@").contains(text.front());
  if (!formula && text.find_first_of("\",\r\n") == std::string_view::npos) return std::string(text);
  std::string out = formula ? "\"'" : "\"";
  for (char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace

std::string bill_table(const Bill& bill) {
  std::vector<Row> rows = {{std::string(by_text(bill.by())), "events", "refused", "cpu s",
                            "compile s", "memory x s", "peak", "in", "out", "stored"}};
  for (const BillLine& line : bill.lines()) rows.push_back(row_of(line));
  rows.push_back(row_of(bill.total()));
  std::array<std::size_t, kColumns> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const Row& row : rows) {
    fmt::format_to(std::back_inserter(out), "{:<{}}", row[0], widths[0]);
    for (std::size_t i = 1; i < kColumns; ++i) {
      fmt::format_to(std::back_inserter(out), "  {:>{}}", row[i], widths[i]);
    }
    out += '\n';
  }
  return out;
}

std::string bill_json(const Bill& bill) {
  std::string out = fmt::format("{{\"by\":\"{}\",\"first_event\":{},\"last_event\":{},\"lines\":[",
                                by_text(bill.by()), bill.first(), bill.last());
  std::string_view between;
  for (const BillLine& line : bill.lines()) {
    fmt::format_to(std::back_inserter(out), "{}{{\"{}\":", std::exchange(between, ","),
                   by_text(bill.by()));
    append_json_string(out, line.who);
    out += ',';
    append_numbers(out, line);
    out += '}';
  }
  out += "],\"total\":{";
  append_numbers(out, bill.total());
  out += "}}\n";
  return out;
}

std::string bill_csv(const Bill& bill) {
  std::string out(by_text(bill.by()));
  for (auto [name, value] : numbers(bill.total()))
    fmt::format_to(std::back_inserter(out), ",{}", name);
  out += "\r\n";
  for (const BillLine& line : bill.lines()) {
    out += csv_text(line.who);
    for (auto [name, value] : numbers(line)) fmt::format_to(std::back_inserter(out), ",{}", value);
    out += "\r\n";
  }
  return out;
}

}  // namespace weft::node::events
