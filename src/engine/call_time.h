#pragma once

// For src/engine's own sources.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

namespace weft {

// Of two limits, of which 0 is none.
inline std::chrono::milliseconds shorter_time(std::chrono::milliseconds a,
                                              std::chrono::milliseconds b) {
  if (a.count() == 0 || b.count() == 0) return std::max(a, b);
  return std::min(a, b);
}

// What is said of a call that took longer.
inline std::string out_of_time_message(std::string_view component,
                                       std::chrono::milliseconds limit) {
  return fmt::format("component {}: ran longer than its time limit of {} ms", component,
                     limit.count());
}

}  // namespace weft
