#include "capabilities/logging/gate.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace weft::logging {

bool Gate::pass(Time now) {
  double seconds = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  room_ = std::min(kBurst, room_ + seconds * kRecordsPerSecond);
  if (room_ < 1) {
    ++dropped_;
    return false;
  }
  room_ -= 1;
  return true;
}

std::uint64_t Gate::take_dropped() {
  return std::exchange(dropped_, 0);
}

}  // namespace weft::logging
