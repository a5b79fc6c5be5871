#include "observe/history.h"

namespace weft {
namespace {

std::uint64_t errors(const RouteTotal& total) {
  return total.answered[0] + total.answered[5];
}

}  // namespace

void History::add(std::chrono::steady_clock::time_point now, const Totals& totals,
                  const ProcessUse& use) {
  RouteTotal sum = totals.all_routes();
  double seconds = std::chrono::duration<double>(now - at_).count();
  if (!first_ && seconds > 0) {
    LatencyTotal times = sum.time.since(before_.time);
    constexpr double kMs = 1e6;
    auto wall = std::chrono::system_clock::now().time_since_epoch();
    points_.push_back({.at = std::chrono::duration_cast<std::chrono::seconds>(wall).count(),
                       .requests = static_cast<double>(sum.ended() - before_.ended()) / seconds,
                       .errors = static_cast<double>(errors(sum) - errors(before_)) / seconds,
                       .p50_ms = times.quantile(0.5) / kMs,
                       .p90_ms = times.quantile(0.9) / kMs,
                       .p99_ms = times.quantile(0.99) / kMs,
                       .in_flight = sum.in_flight(),
                       .cpu = (use.cpu_seconds - cpu_before_) / seconds});
    if (points_.size() > kHistorySeconds) points_.pop_front();
  }
  first_ = false;
  at_ = now;
  before_ = std::move(sum);
  cpu_before_ = use.cpu_seconds;
}

}  // namespace weft
