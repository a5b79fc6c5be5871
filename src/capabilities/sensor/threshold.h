#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "capabilities/sensor/measurement.h"

namespace weft::sensor {

enum class Side : std::uint8_t { kAbove, kBelow };

// A sensor went beyond a limit, or came back from there.
struct Crossing {
  Measurement measurement;
  double limit = 0;
  Side side = Side::kAbove;
  bool beyond = true;
};

struct Limits {
  std::optional<double> above = {};
  std::optional<double> below = {};
  // How far it has to come back before it counts as back.
  double hysteresis = 0;
};

// kInvalid: limits that no value lies between, or a hysteresis that is none.
Result<void> check_limits(const Limits& limits);

// Which of some sensors are beyond a limit.
class Threshold {
 public:
  explicit Threshold(Limits limits) : limits_(limits) {}

  // What the measurement changes: nothing where it is not to be trusted, kBad or kStale. The first
  // one of a sensor changes something only where it is beyond.
  std::vector<Crossing> look(const Measurement& measurement);

 private:
  struct Beyond {
    bool above = false;
    bool below = false;
  };

  const Limits limits_;
  std::map<std::string, Beyond, std::less<>> sensors_;  // As many as a space has.
};

}  // namespace weft::sensor
