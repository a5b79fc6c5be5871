#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "node/policy/quota.h"

namespace weft::node {

// Steady time, which nobody sets: what rates are counted in.
using SteadyNs = std::chrono::nanoseconds;

// So many a second, and a burst: one number, the time at which all that was taken is worked off.
// From any thread, without a lock.
class Rate {
 public:
  // Whether one could be taken now, and if not, how long until then. Takes nothing.
  std::chrono::nanoseconds wait(const RateQuota& quota, SteadyNs now) const;
  // Takes one; false, and takes none, where none is left.
  bool take(const RateQuota& quota, SteadyNs now);

 private:
  std::atomic<std::int64_t> worked_off_ns_{0};
};

}  // namespace weft::node
