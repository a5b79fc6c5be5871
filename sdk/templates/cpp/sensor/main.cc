// Called when a temperature crosses the limit that weft.toml names, and when it is back.

#include <cstdio>

#include "guest.hpp"

namespace handler = weft::wit::weft::sensor_0_1_0::handler;

using Done = std::expected<void, std::string>;

// An error has the same crossing come again, a few times.
Done handler::exports::on_crossing(handler::Crossing what) {
  std::printf("%s is %.1f %s, %s %g\n", what.measurement.sensor.c_str(), what.measurement.value,
              what.measurement.unit.c_str(), what.beyond ? "beyond" : "back within", what.limit);
  return {};
}

// What is called instead where weft.toml names no limit: batches of all that comes.
Done handler::exports::on_measurements(std::vector<handler::Measurement> batch) {
  for (const auto& each : batch) {
    std::printf("%s: %.1f %s\n", each.sensor.c_str(), each.value, each.unit.c_str());
  }
  return {};
}
