#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/error.h"

namespace weft {

// A count that one thread writes and any reads: no lock and no locked instruction.
class Counter {
 public:
  void add(std::uint64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  // Keeps the larger one.
  void raise(std::uint64_t value) {
    if (value > get()) value_.store(value, std::memory_order_relaxed);
  }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Upper bounds of the buckets that times are counted in, in nanoseconds: six a decade from 10 µs to
// 50 s. What takes longer has a bucket of its own.
inline constexpr std::array<std::uint64_t, 41> kLatencyBounds = [] {
  std::array<std::uint64_t, 41> bounds{};
  constexpr std::array<std::uint64_t, 6> kSteps = {10, 15, 20, 30, 50, 70};
  std::uint64_t decade = 1'000;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    if (i > 0 && i % kSteps.size() == 0) decade *= 10;
    bounds[i] = kSteps[i % kSteps.size()] * decade;
  }
  return bounds;
}();
inline constexpr std::size_t kLatencyBuckets = kLatencyBounds.size() + 1;

// How long something took, as counts by length. One writer, any readers.
class Latency {
 public:
  void observe(std::chrono::nanoseconds time) {
    auto ns = static_cast<std::uint64_t>(time.count() < 0 ? 0 : time.count());
    std::size_t bucket = kFirst[static_cast<std::size_t>(std::bit_width(ns))];
    while (bucket < kLatencyBounds.size() && ns > kLatencyBounds[bucket]) ++bucket;
    buckets_[bucket].add();
    sum_ns_.add(ns);
  }
  std::uint64_t bucket(std::size_t index) const { return buckets_[index].get(); }
  std::uint64_t sum_ns() const { return sum_ns_.get(); }

 private:
  // By the number of a time's bits: the first bucket that it may fall into.
  static constexpr std::array<std::uint8_t, 65> kFirst = [] {
    std::array<std::uint8_t, 65> first{};
    for (std::size_t bits = 1; bits < first.size(); ++bits) {
      std::uint64_t least = std::uint64_t{1} << (bits - 1);
      std::uint8_t bucket = 0;
      while (bucket < kLatencyBounds.size() && least > kLatencyBounds[bucket]) ++bucket;
      first[bits] = bucket;
    }
    return first;
  }();

  std::array<Counter, kLatencyBuckets> buckets_;
  Counter sum_ns_;
};

// What requests of one route came to, on one loop.
struct RouteMeter {
  std::string app = {};
  std::string component = {};  // Or the folder of files.
  std::string route = {};

  // By the first digit of the status; 0: no response was begun.
  std::array<Counter, 6> answered = {};
  Counter begun = {};
  Counter broken = {};  // Broken off by us within the response.
  Counter gone = {};    // The client went before it was complete.
  Counter bytes_in = {};
  Counter bytes_out = {};
  Latency time = {};  // From the request's head to the end of the response.
};

enum class LimitKind : std::uint8_t { kCpu, kMemory, kTable, kTime, kStream, kInstances };
inline constexpr std::size_t kLimitKinds = 6;

// What the guests of one component did, on one loop.
struct ComponentMeter {
  std::string app = {};
  std::string component = {};

  Counter instances = {};  // Made.
  Counter traps = {};
  Counter failures = {};  // Runs that ended badly for another reason.
  std::array<Counter, kLimitKinds> limits = {};
  Counter cpu_ns = {};
  Counter memory_peak = {};  // Bytes of one instance, the most so far.
  Counter lines = {};        // Printed.
  Counter sent = {};         // Outgoing HTTP requests.
  Counter send_failures = {};
  Counter send_refusals = {};
};

// How a run of a trigger ended: a call of a handler, for a message, at a time, for what was
// measured.
enum class RunEnd : std::uint8_t {
  kDone,
  kFailed,  // The handler returned an error, or there was nothing to call it for after all.
  kTrapped,
  kLimited,  // It took more time, or other things, than it may.
  kNoRoom,   // It was not begun: there was no room for an instance. It comes again.
};
inline constexpr std::size_t kRunEnds = 5;

// What the runs of one trigger came to, on one loop.
struct TriggerMeter {
  Counter begun = {};
  std::array<Counter, kRunEnds> ended = {};
  Counter given_up = {};  // What is tried no more: dead letters.
};

// Counts the runs of one trigger, where somebody watches. A value; its meter outlives it.
class RunCount {
 public:
  explicit RunCount(TriggerMeter* meter) : meter_(meter) {}

  void begin() const {
    if (meter_ != nullptr) meter_->begun.add();
  }
  // Each that was begun.
  void end(RunEnd how) const {
    if (meter_ != nullptr) meter_->ended[static_cast<std::size_t>(how)].add();
  }
  void end(const Result<void>& outcome) const { end(how_it_ended(outcome)); }
  void give_up() const {
    if (meter_ != nullptr) meter_->given_up.add();
  }

 private:
  static RunEnd how_it_ended(const Result<void>& outcome) {
    if (outcome) return RunEnd::kDone;
    switch (outcome.error().code()) {
      case Errc::kUnavailable: return RunEnd::kNoRoom;
      case Errc::kTrap: return RunEnd::kTrapped;
      case Errc::kTimeout:
      case Errc::kLimit: return RunEnd::kLimited;
      default: return RunEnd::kFailed;
    }
  }

  TriggerMeter* meter_;  // Null: nobody does.
};

// What layers around a link may do with a call (door/link_notes.h), by its number.
inline constexpr std::size_t kLinkEvents = 6;

// Calls of a component to one capability, or by one link, on one loop.
struct CallMeter {
  std::string app = {};
  std::string component = {};
  std::string capability = {};
  std::string driver = {};

  Counter calls = {};
  Counter failures = {};
  std::array<Counter, kLinkEvents> events = {};
  Latency time = {};  // Of every kCallsTimed'th call.
};

}  // namespace weft
