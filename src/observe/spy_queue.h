#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace weft {

// What calls that wait for the admin server may take up; more are lost and counted.
inline constexpr std::size_t kSpyQueueBytesMax = std::size_t{4} << 20;
// Of a call's arguments, and of its result, encoded: longer ones are not shown.
inline constexpr std::size_t kSpiedValueMax = std::size_t{64} << 10;

// A call of a component as somebody who watches is told of it.
struct SpiedCall {
  std::chrono::system_clock::time_point ended = {};
  std::chrono::nanoseconds time{};
  std::string app = {};
  std::string component = {};
  std::string by = {};  // What served it: "provider ml", "keyvalue (embedded)".
  std::string interface = {};
  std::string name = {};
  std::string signature = {};
  // Absent: they are not to be shown, or are too long.
  std::optional<Bytes> arguments = {};
  std::optional<Bytes> reply = {};
  std::optional<Error> error = {};
  bool cancelled = false;  // Its caller did not wait for the outcome.

  std::size_t room() const {
    return sizeof *this + app.size() + component.size() + by.size() + interface.size() +
           name.size() + signature.size() + (arguments ? arguments->size() : 0) +
           (reply ? reply->size() : 0) + (error ? error->message().size() : 0);
  }
};

// Calls on their way from the loops to those who watch, and whether anybody does. From any thread.
class SpyQueue {
 public:
  // One load, where nobody watches. A call that is missed as the first one begins to is no matter.
  bool watched() const { return watched_.load(std::memory_order_relaxed); }
  // Whether the operator lets values be shown.
  bool shows_values() const { return values_.load(std::memory_order_relaxed); }
  void show_values(bool show) { values_.store(show, std::memory_order_relaxed); }

  void add(SpiedCall call) {
    std::size_t room = call.room();
    std::lock_guard hold(mutex_);
    if (!watched() || bytes_ + room > kSpyQueueBytesMax) {
      ++lost_;
      return;
    }
    bytes_ += room;
    calls_.push_back(std::move(call));
  }

  // What waited before is nothing to who begins to watch.
  void watch(bool on) {
    watched_.store(on, std::memory_order_relaxed);
    take();
  }

  struct Taken {
    std::vector<SpiedCall> calls;
    std::uint64_t lost = 0;
  };
  Taken take() {
    std::lock_guard hold(mutex_);
    bytes_ = 0;
    return {std::exchange(calls_, {}), std::exchange(lost_, 0)};
  }

 private:
  std::atomic<bool> watched_ = false;
  std::atomic<bool> values_ = false;
  std::mutex mutex_;
  // Guarded:
  std::vector<SpiedCall> calls_;
  std::size_t bytes_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace weft
