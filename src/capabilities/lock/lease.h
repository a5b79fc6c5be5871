#pragma once

#include <algorithm>
#include <cstdint>

#include "capabilities/lock/store.h"

namespace weft::lock {

// What a holder knows of its lock by its own clock alone. It ends before the store's own idea of
// it, because it counts from when the store was asked.
class Lease {
 public:
  using Time = Clock::time_point;

  Lease(std::uint64_t token, Time asked, Milliseconds ttl) : token_(token), until_(asked + ttl) {}

  std::uint64_t token() const { return token_; }
  Time until() const { return until_; }
  bool held(Time now) const { return now < until_; }
  std::chrono::nanoseconds remaining(Time now) const {
    return std::max(std::chrono::nanoseconds(until_ - now), std::chrono::nanoseconds(0));
  }

  void renewed(Time asked, Milliseconds ttl) { until_ = asked + ttl; }
  // Whether it was renewed is not known: the store may have made it shorter.
  void maybe_renewed(Time asked, Milliseconds ttl) { until_ = std::min(until_, asked + ttl); }
  void end(Time now) { until_ = std::min(until_, now); }

 private:
  std::uint64_t token_;
  Time until_;
};

}  // namespace weft::lock
