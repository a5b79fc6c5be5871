#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/capability.h"
#include "capabilities/sensor/polled.h"

namespace weft::sensor::simulated {

enum class Wave : std::uint8_t { kConstant, kSine, kTriangle, kSquare, kNoise, kWalk };

// What one sensor says: offset and amplitude times a wave between -1 and 1.
struct Signal {
  SensorInfo sensor;
  Wave wave = Wave::kSine;
  double offset = 0;
  double amplitude = 1;
  std::chrono::nanoseconds period{std::chrono::minutes(1)};
  double dropout = 0;  // The share of steps at which it says nothing.
};

struct Settings {
  std::vector<Signal> signals = {};
  std::uint64_t seed = 1;
  std::chrono::milliseconds every = kEveryByDefault;  // How often, and how long a step is.
  std::function<Instant()> now = calendar;
};

// What an operator may set: see the README.
std::span<const DriverKey> driver_keys();
// kInvalid. Without `sensors`: those of every space for which nobody chose a driver.
Result<Settings> read_settings(const DriverChoice& choice);

// The value at that time; the same wherever and however often it is asked.
double value_at(const Signal& signal, std::uint64_t seed, std::chrono::nanoseconds step,
                Instant time);

std::shared_ptr<Probe> probe(Settings settings);
std::unique_ptr<Backend> simulated_backend(Settings settings);

}  // namespace weft::sensor::simulated
