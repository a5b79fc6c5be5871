#include "observe/metrics.h"

#include <algorithm>
#include <numeric>

namespace weft {
namespace {

// Finds the meter of these labels or makes it; where there are too many, the one for the rest.
template <class Key, class Meter, class Make>
Meter& find_or_make(std::map<Key, std::unique_ptr<Meter>>& all, Key key, std::size_t max,
                    Make make) {
  auto found = all.find(key);
  // The last place is for the rest.
  if (found == all.end() && all.size() + 1 >= max) {
    key.fill(std::string(kOtherLabel));
    found = all.find(key);
  }
  if (found == all.end()) found = all.emplace(key, make(key)).first;
  return *found->second;
}

}  // namespace

void LatencyTotal::add(const Latency& latency) {
  for (std::size_t i = 0; i < kLatencyBuckets; ++i) buckets[i] += latency.bucket(i);
  sum_ns += latency.sum_ns();
}

void LatencyTotal::add(const LatencyTotal& other) {
  for (std::size_t i = 0; i < kLatencyBuckets; ++i) buckets[i] += other.buckets[i];
  sum_ns += other.sum_ns;
}

LatencyTotal LatencyTotal::since(const LatencyTotal& before) const {
  LatencyTotal rest = *this;
  for (std::size_t i = 0; i < kLatencyBuckets; ++i) rest.buckets[i] -= before.buckets[i];
  rest.sum_ns -= before.sum_ns;
  return rest;
}

std::uint64_t LatencyTotal::count() const {
  return std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0});
}

double LatencyTotal::quantile(double share) const {
  std::uint64_t all = count();
  if (all == 0) return 0;
  double wanted = share * static_cast<double>(all);
  double below = 0;
  for (std::size_t i = 0; i < kLatencyBounds.size(); ++i) {
    auto here = static_cast<double>(buckets[i]);
    if (here > 0 && below + here >= wanted) {
      double low = i == 0 ? 0 : static_cast<double>(kLatencyBounds[i - 1]);
      double high = static_cast<double>(kLatencyBounds[i]);
      return low + (high - low) * std::max(0.0, wanted - below) / here;
    }
    below += here;
  }
  return static_cast<double>(kLatencyBounds.back());
}

std::uint64_t RouteTotal::ended() const {
  return std::accumulate(answered.begin(), answered.end(), std::uint64_t{0});
}

std::uint64_t TriggerTotal::all_ended() const {
  return std::accumulate(ended.begin(), ended.end(), std::uint64_t{0});
}

RouteTotal Totals::all_routes() const {
  RouteTotal sum;
  for (const auto& [labels, each] : routes) {
    for (std::size_t i = 0; i < sum.answered.size(); ++i) sum.answered[i] += each.answered[i];
    sum.begun += each.begun;
    sum.broken += each.broken;
    sum.gone += each.gone;
    sum.bytes_in += each.bytes_in;
    sum.bytes_out += each.bytes_out;
    sum.time.add(each.time);
  }
  return sum;
}

std::string_view to_string(LimitKind kind) {
  switch (kind) {
    case LimitKind::kCpu: return "cpu";
    case LimitKind::kMemory: return "memory";
    case LimitKind::kTable: return "table";
    case LimitKind::kTime: return "time";
    case LimitKind::kStream: return "stream";
    case LimitKind::kInstances: return "instances";
  }
  return "unknown";
}

std::string_view to_string(RunEnd end) {
  switch (end) {
    case RunEnd::kDone: return "done";
    case RunEnd::kFailed: return "failed";
    case RunEnd::kTrapped: return "trapped";
    case RunEnd::kLimited: return "limited";
    case RunEnd::kNoRoom: return "no-room";
  }
  return "unknown";
}

RouteMeter& LoopMetrics::route(std::string_view app, std::string_view component,
                               std::string_view route) {
  std::lock_guard hold(mutex_);
  std::array<std::string, 3> key{std::string(app), std::string(component), std::string(route)};
  return find_or_make(routes_, std::move(key), kRoutesMax, [](const auto& labels) {
    auto meter = std::make_unique<RouteMeter>();
    meter->app = labels[0];
    meter->component = labels[1];
    meter->route = labels[2];
    return meter;
  });
}

ComponentMeter& LoopMetrics::component(std::string_view app, std::string_view component) {
  std::lock_guard hold(mutex_);
  std::array<std::string, 2> key{std::string(app), std::string(component)};
  return find_or_make(components_, std::move(key), kComponentsMax, [](const auto& labels) {
    auto meter = std::make_unique<ComponentMeter>();
    meter->app = labels[0];
    meter->component = labels[1];
    return meter;
  });
}

CallMeter& LoopMetrics::calls(std::string_view app, std::string_view component,
                              std::string_view capability, std::string_view driver) {
  std::lock_guard hold(mutex_);
  std::array<std::string, 4> key{std::string(app), std::string(component), std::string(capability),
                                 std::string(driver)};
  return find_or_make(calls_, std::move(key), kCallsMax, [](const auto& labels) {
    auto meter = std::make_unique<CallMeter>();
    meter->app = labels[0];
    meter->component = labels[1];
    meter->capability = labels[2];
    meter->driver = labels[3];
    return meter;
  });
}

TriggerMeter& LoopMetrics::trigger(std::array<std::string, 5> labels) {
  std::lock_guard hold(mutex_);
  return find_or_make(triggers_, std::move(labels), kTriggersMax,
                      [](const auto&) { return std::make_unique<TriggerMeter>(); });
}

void LoopMetrics::add_to(Totals& totals) const {
  std::lock_guard hold(mutex_);
  for (const auto& [labels, meter] : routes_) {
    RouteTotal& sum = totals.routes[labels];
    // What has ended is read before what was begun, so that never more has ended than begun.
    for (std::size_t i = 0; i < sum.answered.size(); ++i) {
      sum.answered[i] += meter->answered[i].get();
    }
    sum.broken += meter->broken.get();
    sum.gone += meter->gone.get();
    sum.bytes_in += meter->bytes_in.get();
    sum.bytes_out += meter->bytes_out.get();
    sum.time.add(meter->time);
    sum.begun += meter->begun.get();
  }
  for (const auto& [labels, meter] : components_) {
    ComponentTotal& sum = totals.components[labels];
    sum.instances += meter->instances.get();
    sum.traps += meter->traps.get();
    sum.failures += meter->failures.get();
    for (std::size_t i = 0; i < kLimitKinds; ++i) sum.limits[i] += meter->limits[i].get();
    sum.cpu_ns += meter->cpu_ns.get();
    sum.memory_peak = std::max(sum.memory_peak, meter->memory_peak.get());
    sum.lines += meter->lines.get();
    sum.sent += meter->sent.get();
    sum.send_failures += meter->send_failures.get();
    sum.send_refusals += meter->send_refusals.get();
  }
  for (const auto& [labels, meter] : calls_) {
    CallTotal& sum = totals.calls[labels];
    sum.calls += meter->calls.get();
    sum.failures += meter->failures.get();
    for (std::size_t i = 0; i < kLinkEvents; ++i) sum.events[i] += meter->events[i].get();
    sum.time.add(meter->time);
  }
  for (const auto& [labels, meter] : triggers_) {
    TriggerTotal& sum = totals.triggers[labels];
    // Likewise what has ended first.
    for (std::size_t i = 0; i < kRunEnds; ++i) sum.ended[i] += meter->ended[i].get();
    sum.given_up += meter->given_up.get();
    sum.begun += meter->begun.get();
  }
}

}  // namespace weft
