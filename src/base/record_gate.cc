#include "base/record_gate.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace weft {

bool RecordGate::pass(Time now) {
  double seconds = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  room_ = std::min(kRecordsBurst, room_ + seconds * kRecordsPerSecond);
  if (room_ < 1) {
    ++dropped_;
    return false;
  }
  room_ -= 1;
  return true;
}

std::uint64_t RecordGate::take_dropped() {
  return std::exchange(dropped_, 0);
}

}  // namespace weft
