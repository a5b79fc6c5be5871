#include "capabilities/logging/record_budget.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace weft::logging {

bool RecordBudget::take(Time now) {
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

std::uint64_t RecordBudget::take_dropped() {
  return std::exchange(dropped_, 0);
}

}  // namespace weft::logging
