#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/net_rules.h"

namespace weft {

// What one component may reach, and where it is told when it may not. Shared by its instances on
// every loop and by the threads that its sockets run on; immutable but for the log, which locks.
class NetGate {
 public:
  NetGate(NetRules rules, std::string component)
      : rules_(std::move(rules)), component_(std::move(component)) {}

  const NetRules& rules() const { return rules_; }
  // Logs what was refused and the grant that is missing, as it is to be written. The same grant
  // again only after kQuiet, so that a guest which tries on does not fill the log.
  void refused(std::string_view what, std::string_view grant) const;

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kQuiet{10};
  static constexpr std::size_t kGrantsMax = 256;

  const NetRules rules_;
  const std::string component_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Clock::time_point, std::less<>> told_;  // Guarded.
};

}  // namespace weft
