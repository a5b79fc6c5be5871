#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "base/error.h"
#include "door/context.h"

namespace weft::secrets {

// Writes down who was shown which secret, and which could not be read: never the value.
//
// One line of the log when a component is shown a secret for the first time, and then at most one
// in kAuditEvery, each with how often that was; likewise for failures. What was not told by then is
// told at the end. From any loop; outlives the hosts.
class Audit {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kAuditEvery{60};
  // Pairs of a component and a secret. More are counted as one.
  static constexpr std::size_t kAuditedMax = 4096;

  Audit() = default;
  Audit(const Audit&) = delete;
  ~Audit();

  void revealed(const Context& who, std::string_view name, Clock::time_point now = Clock::now());
  void failed(const Context& who, std::string_view name, const Error& error,
              Clock::time_point now = Clock::now());

 private:
  enum class Event : std::uint8_t { kRevealed, kFailed };
  // Event, app, component, name.
  using Key = std::tuple<Event, std::string, std::string, std::string>;
  struct Count {
    std::uint64_t times = 0;
    std::uint64_t untold = 0;
    Clock::time_point told = {};
  };

  // How often that was, where it is to be told now.
  std::optional<std::uint64_t> count(Event event, const Context& who, std::string_view name,
                                     Clock::time_point now);

  std::mutex mutex_;
  std::map<Key, Count> counts_;  // Guarded.
};

}  // namespace weft::secrets
