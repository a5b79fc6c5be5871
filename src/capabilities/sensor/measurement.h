#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

// What a sensor says, and the bounds that hold for every driver.
namespace weft::sensor {

// With its space: "boiler/temperature".
inline constexpr std::size_t kNameBytesMax = 250;
inline constexpr std::size_t kUnitBytesMax = 32;
// Of one space. A driver that finds more leaves the last ones out.
inline constexpr std::size_t kSensorsMax = 1'000;

enum class Quality : std::uint8_t { kGood, kUncertain, kBad, kStale };

// Since 1970, UTC.
using Instant = std::chrono::nanoseconds;
// The calendar of this machine.
Instant calendar();

struct SensorInfo {
  std::string name;  // Without its space.
  std::string unit;
  std::string description = {};

  friend bool operator==(const SensorInfo&, const SensorInfo&) = default;
};

struct Measurement {
  std::string sensor;  // Of a driver: without its space.
  double value = 0;
  std::string unit = {};
  Instant time{};
  Quality quality = Quality::kGood;
  std::uint64_t missed = 0;  // See wit/sensor.
};

// What a sensor that failed, or is gone, says: no number.
Measurement failed(const SensorInfo& sensor, Instant time);

// 1 to kNameBytesMax bytes of text without spaces and control characters.
Result<void> check_name(std::string_view name);
// SPACE/SENSOR, where * in the second part is any run of characters.
Result<void> check_pattern(std::string_view pattern);
bool matches(std::string_view pattern, std::string_view name);

// The part before the first slash, and what is behind it.
std::string_view space_of(std::string_view name);
std::string_view within_space(std::string_view name);

}  // namespace weft::sensor
