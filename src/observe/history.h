#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <vector>

#include "observe/host_facts.h"
#include "observe/metrics.h"

namespace weft {

inline constexpr std::size_t kHistorySeconds = 300;

// What happened in one second.
struct HistoryPoint {
  std::int64_t at = 0;  // Seconds since 1970.
  double requests = 0;  // A second.
  double errors = 0;    // Of these, answered with 5xx or not at all.
  double p50_ms = 0;
  double p90_ms = 0;
  double p99_ms = 0;
  std::uint64_t in_flight = 0;
  double cpu = 0;  // Processors in use.
};

// The last minutes, second by second, for plots. On one thread.
class History {
 public:
  // Called about once a second.
  void add(std::chrono::steady_clock::time_point now, const Totals& totals, const ProcessUse& use);
  // The oldest first.
  const std::deque<HistoryPoint>& points() const { return points_; }

 private:
  std::deque<HistoryPoint> points_;
  std::chrono::steady_clock::time_point at_;
  RouteTotal before_;
  double cpu_before_ = 0;
  bool first_ = true;
};

}  // namespace weft
