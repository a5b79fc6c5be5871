#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "observe/meters.h"

namespace weft {

// Meters of one loop by label, at most; what comes after is counted together under kOtherLabel.
inline constexpr std::size_t kRoutesMax = 1024;
inline constexpr std::size_t kComponentsMax = 512;
inline constexpr std::size_t kCallsMax = 1024;
inline constexpr std::size_t kTriggersMax = 1024;
inline constexpr std::string_view kOtherLabel = "other";

// Times as counts, added up.
struct LatencyTotal {
  std::array<std::uint64_t, kLatencyBuckets> buckets{};
  std::uint64_t sum_ns = 0;

  void add(const Latency& latency);
  void add(const LatencyTotal& other);
  // What came since `before`.
  LatencyTotal since(const LatencyTotal& before) const;
  std::uint64_t count() const;
  // The time that `share` of all stayed below, in nanoseconds, within its bucket by proportion. 0
  // where there is nothing.
  double quantile(double share) const;
};

struct RouteTotal {
  std::array<std::uint64_t, 6> answered{};
  std::uint64_t begun = 0;
  std::uint64_t broken = 0;
  std::uint64_t gone = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  LatencyTotal time;

  std::uint64_t ended() const;
  std::uint64_t in_flight() const { return begun > ended() ? begun - ended() : 0; }
};

struct ComponentTotal {
  std::uint64_t instances = 0;
  std::uint64_t traps = 0;
  std::uint64_t failures = 0;
  std::array<std::uint64_t, kLimitKinds> limits{};
  std::uint64_t cpu_ns = 0;
  std::uint64_t memory_peak = 0;
  std::uint64_t lines = 0;
  std::uint64_t sent = 0;
  std::uint64_t send_failures = 0;
  std::uint64_t send_refusals = 0;
};

struct CallTotal {
  std::uint64_t calls = 0;
  std::uint64_t failures = 0;
  std::array<std::uint64_t, kLinkEvents> events{};
  LatencyTotal time;
};

struct TriggerTotal {
  std::uint64_t begun = 0;
  std::array<std::uint64_t, kRunEnds> ended{};
  std::uint64_t given_up = 0;

  std::uint64_t all_ended() const;
  std::uint64_t running() const { return begun > all_ended() ? begun - all_ended() : 0; }
};

// The sum over all loops, by label.
struct Totals {
  std::map<std::array<std::string, 3>, RouteTotal> routes;          // App, component, route.
  std::map<std::array<std::string, 2>, ComponentTotal> components;  // App, component.
  std::map<std::array<std::string, 4>, CallTotal> calls;            // ..., capability, driver.
  std::map<std::array<std::string, 5>, TriggerTotal> triggers;      // ..., trigger, on, group.

  RouteTotal all_routes() const;
};

std::string_view to_string(LimitKind kind);
std::string_view to_string(RunEnd end);

// The meters of one loop. A meter lives as long as this; the loop alone writes it.
//
// Finding one and reading them locks; counting does not.
class LoopMetrics {
 public:
  LoopMetrics() = default;
  LoopMetrics(const LoopMetrics&) = delete;

  RouteMeter& route(std::string_view app, std::string_view component, std::string_view route);
  ComponentMeter& component(std::string_view app, std::string_view component);
  CallMeter& calls(std::string_view app, std::string_view component, std::string_view capability,
                   std::string_view driver);
  // Whose labels: app, component, trigger, on, group.
  TriggerMeter& trigger(std::array<std::string, 5> labels);

  // From any thread.
  void add_to(Totals& totals) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::array<std::string, 3>, std::unique_ptr<RouteMeter>> routes_;          // Guarded.
  std::map<std::array<std::string, 2>, std::unique_ptr<ComponentMeter>> components_;  // Guarded.
  std::map<std::array<std::string, 4>, std::unique_ptr<CallMeter>> calls_;            // Guarded.
  std::map<std::array<std::string, 5>, std::unique_ptr<TriggerMeter>> triggers_;      // Guarded.
};

}  // namespace weft
