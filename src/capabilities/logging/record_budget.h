#pragma once

#include <cstdint>

#include "base/deadline.h"

namespace weft::logging {

// How many records a component may write on one loop: so many at once, so many a second after that.
inline constexpr double kBurst = 1000;
inline constexpr double kRecordsPerSecond = 200;

// Lets a component's records through at a bounded rate and counts those it does not.
//
// One per component and loop.
class RecordBudget {
 public:
  using Time = Deadline::Clock::time_point;

  explicit RecordBudget(Time now) : last_(now) {}

  // Whether a record may be written now.
  bool take(Time now);
  // How many records were not let through since this was asked last.
  std::uint64_t take_dropped();

 private:
  Time last_;
  double room_ = kBurst;
  std::uint64_t dropped_ = 0;
};

}  // namespace weft::logging
