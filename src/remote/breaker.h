#pragma once

#include <chrono>
#include <cstdint>
#include <random>

#include "base/deadline.h"

namespace weft::remote {

// How long requests wait for a server that cannot be reached, from the first failure on.
inline constexpr std::chrono::milliseconds kPatience{1'000};
// Between two attempts: at first, and at most. Doubled each time, less up to a half of it.
inline constexpr std::chrono::milliseconds kRetryFirst{25};
inline constexpr std::chrono::milliseconds kRetryMax{5'000};

// When a server that failed is tried again, and whether requests wait for that. Told of attempts by
// its owner, on one loop; has no clock of its own.
class Breaker {
 public:
  using Time = Deadline::Clock::time_point;

  explicit Breaker(std::uint64_t seed) : random_(seed) {}

  // Requests may wait, or be sent.
  bool closed() const { return !open_; }
  // When the next attempt may be made: now, or later.
  Time next() const { return next_; }
  bool may_try(Time now) const { return now >= next_; }

  void succeeded();
  // An attempt that began then has failed now, or a connection that was there broke now.
  void failed(Time began, Time now);

 private:
  std::minstd_rand random_;
  bool failing_ = false;
  bool open_ = false;
  Time since_{};
  Time next_{};
  std::chrono::milliseconds delay_ = kRetryFirst;
};

}  // namespace weft::remote
