#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace weft::remote {

// What a driver's clients see of their server, on all loops together: one object a backend, shared
// with its clients. Counting takes no lock, and costs nothing to speak of beside a request over a
// network.
class Health {
 public:
  using Clock = std::chrono::steady_clock;

  struct Reading {
    bool asked = false;               // Somebody has tried to reach it.
    bool up = false;                  // The last thing that was heard of it is that it is there.
    std::uint64_t losses = 0;         // Attempts and connections that failed.
    std::uint64_t requests = 0;       // Answered, with whatever answer.
    std::uint64_t failures = 0;       // Not answered: broken off, or too late.
    std::chrono::nanoseconds time{};  // Of those that were answered, added up.
  };

  // Where it is, for operators: "cache.example.com:6379".
  explicit Health(std::string server) : server_(std::move(server)) {}

  const std::string& server() const { return server_; }

  // It let us in, or answered.
  void up() { state_.store(State::kUp, std::memory_order_relaxed); }
  // It could not be reached, or broke a connection.
  void down() {
    state_.store(State::kDown, std::memory_order_relaxed);
    add(losses_, 1);
  }
  // A request that was sent at `since` has its answer.
  void answered(Clock::time_point since) {
    add(requests_, 1);
    add(time_ns_,
        static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now() - since).count()));
  }
  // A request that was sent gets none.
  void unanswered() { add(failures_, 1); }

  Reading read() const {
    State state = state_.load(std::memory_order_relaxed);
    return {.asked = state != State::kUnknown,
            .up = state == State::kUp,
            .losses = losses_.load(std::memory_order_relaxed),
            .requests = requests_.load(std::memory_order_relaxed),
            .failures = failures_.load(std::memory_order_relaxed),
            .time = std::chrono::nanoseconds(time_ns_.load(std::memory_order_relaxed))};
  }

 private:
  enum class State : std::uint8_t { kUnknown, kUp, kDown };

  static void add(std::atomic<std::uint64_t>& count, std::uint64_t more) {
    count.fetch_add(more, std::memory_order_relaxed);
  }

  const std::string server_;
  std::atomic<State> state_{State::kUnknown};
  std::atomic<std::uint64_t> losses_{0};
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<std::uint64_t> time_ns_{0};
};

}  // namespace weft::remote
