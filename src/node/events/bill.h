#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "node/events/event.h"

namespace weft::node::events {

// Whoever comes after so many is summed up in one line, kBillOthers.
inline constexpr std::size_t kBillLinesMax = 100'000;
inline constexpr std::string_view kBillOthers = "(others)";
// Events of keys that are in no group, when summed by group. No group may have such a name.
inline constexpr std::string_view kBillNoGroup = "(none)";

enum class BillBy : std::uint8_t { kKey, kGroup };

// The sums of somebody.
struct BillLine {
  std::string who = {};  // A key's 64 digits, or a group's name.
  std::uint64_t events = 0;
  std::uint64_t refused = 0;  // Of them, without those for what is not here.
  std::uint64_t cpu_ns = 0;
  std::uint64_t compile_ns = 0;
  std::uint64_t memory_byte_s = 0;  // Of the sum; what is less than one is left off at the end.
  std::uint64_t memory_byte_ms_rest = 0;
  std::uint64_t memory_peak_bytes = 0;  // The highest, no sum.
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t stored_bytes = 0;

  void add(const Event& event);
  friend bool operator==(const BillLine&, const BillLine&) = default;
};

// Sums of events that are added one after the other. Used by one thread.
class Bill {
 public:
  explicit Bill(BillBy by) : by_(by) {}

  void add(const Event& event);

  BillBy by() const { return by_; }
  // By name.
  std::vector<BillLine> lines() const;
  const BillLine& total() const { return total_; }
  // The first and the last event that was added; 0: none.
  std::uint64_t first() const { return first_; }
  std::uint64_t last() const { return last_; }

 private:
  BillBy by_;
  std::map<std::string, BillLine, std::less<>> lines_;
  BillLine total_{.who = "total"};
  std::uint64_t first_ = 0;
  std::uint64_t last_ = 0;
};

// For people, aligned, with the total last; one JSON object; RFC 4180 with a head line. JSON and
// CSV have the units in their names and no rounding.
std::string bill_table(const Bill& bill);
std::string bill_json(const Bill& bill);
std::string bill_csv(const Bill& bill);

}  // namespace weft::node::events
