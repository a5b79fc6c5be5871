#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/deadline.h"

namespace weft {

class Loop;
class Timers;

// A place in a ring of timers; alone in no ring when `next` is null.
struct TimerLink {
  TimerLink* next = nullptr;
  TimerLink* previous = nullptr;
};

// One wait on a loop's wheel: fires once, up to kTimerTick late and never early. Arming and
// disarming are a few pointer writes, so every request may have one. On the loop's thread only;
// destroying it disarms it.
class Timer : private TimerLink {
 public:
  using Fired = std::move_only_function<void()>;

  Timer(Loop& loop, Fired fired);
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  // Fires at `deadline` instead of at what was armed before; never disarms.
  void arm(Deadline deadline);
  void disarm();
  bool armed() const { return next != nullptr; }
  Deadline deadline() const { return deadline_; }

 private:
  friend class Timers;

  Timers* timers_;
  Fired fired_;
  Deadline deadline_ = Deadline::never();
  std::uint64_t tick_ = 0;
};

inline constexpr std::chrono::milliseconds kTimerTick{10};

// A loop's wheel: slots of kTimerTick, one system timer for all, none while nothing is armed.
// Owned by the Loop.
class Timers {
 public:
  explicit Timers(Loop& loop);
  Timers(const Timers&) = delete;
  ~Timers();

  std::size_t armed() const { return armed_; }
  // Before the loop's context goes: nothing fires any more.
  void stop();

 private:
  friend class Timer;
  struct Alarm;
  static constexpr std::size_t kSlots = 512;

  std::uint64_t tick_of(Deadline::Clock::time_point when) const;
  void insert(Timer& timer);
  void remove(Timer& timer);
  void set_alarm(std::uint64_t tick);
  void alarm();
  void fire(Timer& timer);

  Loop& loop_;
  std::unique_ptr<Alarm> alarm_;
  Deadline::Clock::time_point start_;
  std::uint64_t now_tick_ = 0;  // Every slot up to this tick has fired.
  std::uint64_t alarm_tick_ = UINT64_MAX;
  std::size_t armed_ = 0;
  Timer* firing_ = nullptr;              // Null again when it destroys itself as it fires.
  std::array<TimerLink, kSlots> slots_;  // The heads of rings.
};

}  // namespace weft
