#include "capabilities/sensor/threshold.h"

#include <fmt/format.h>

#include <cmath>

namespace weft::sensor {

Result<void> check_limits(const Limits& limits) {
  if (limits.hysteresis < 0) return failure(Errc::kInvalid, "hysteresis is 0 or more");
  if (limits.above && limits.below && *limits.below >= *limits.above) {
    return failure(Errc::kInvalid,
                   fmt::format("below = {} is not less than above = {}: every value would be "
                               "beyond one of them",
                               *limits.below, *limits.above));
  }
  return {};
}

std::vector<Crossing> Threshold::look(const Measurement& measurement) {
  std::vector<Crossing> crossings;
  bool trusted =
      measurement.quality == Quality::kGood || measurement.quality == Quality::kUncertain;
  if (!trusted || !std::isfinite(measurement.value)) return crossings;
  auto known = sensors_.find(measurement.sensor);
  if (known == sensors_.end()) {
    if (sensors_.size() >= kSensorsMax) return crossings;
    known = sensors_.emplace(measurement.sensor, Beyond{}).first;
  }
  auto change = [&](bool& beyond, bool now, double limit, Side side) {
    if (beyond == now) return;
    beyond = now;
    crossings.push_back({measurement, limit, side, now});
  };
  Beyond& is = known->second;
  double value = measurement.value;
  // What came back is told before what it went beyond on the other side.
  auto above = [&] {
    if (!limits_.above) return;
    double back = *limits_.above - limits_.hysteresis;
    change(is.above,
           value > *limits_.above || (is.above && value >= back && limits_.hysteresis > 0),
           *limits_.above, Side::kAbove);
  };
  auto below = [&] {
    if (!limits_.below) return;
    double back = *limits_.below + limits_.hysteresis;
    change(is.below,
           value < *limits_.below || (is.below && value <= back && limits_.hysteresis > 0),
           *limits_.below, Side::kBelow);
  };
  if (is.below) {
    below();
    above();
  } else {
    above();
    below();
  }
  return crossings;
}

}  // namespace weft::sensor
