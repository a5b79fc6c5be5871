#include "io/timer.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "io/loop.h"

namespace weft {
namespace {

// Puts `each` at the end of the ring of `head`.
void link(TimerLink& head, TimerLink& each) {
  each.previous = head.previous;
  each.next = &head;
  head.previous->next = &each;
  head.previous = &each;
}

void unlink(TimerLink& each) {
  each.previous->next = each.next;
  each.next->previous = each.previous;
  each.next = each.previous = nullptr;
}

}  // namespace

struct Timers::Alarm {
  explicit Alarm(Loop& loop) : timer(loop.context().get_executor()) {}
  boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                    boost::asio::wait_traits<std::chrono::steady_clock>,
                                    boost::asio::io_context::executor_type>
      timer;
};

Timer::Timer(Loop& loop, Fired fired) : timers_(&loop.timers()), fired_(std::move(fired)) {}

void Timer::arm(Deadline deadline) {
  disarm();
  deadline_ = deadline;
  if (!deadline.is_never()) timers_->insert(*this);
}

void Timer::disarm() {
  if (armed()) timers_->remove(*this);
}

Timer::~Timer() {
  disarm();
  if (timers_->firing_ == this) timers_->firing_ = nullptr;
}

Timers::Timers(Loop& loop)
    : loop_(loop), alarm_(std::make_unique<Alarm>(loop)), start_(Deadline::Clock::now()) {
  for (TimerLink& head : slots_) head.next = head.previous = &head;
}

void Timers::stop() {
  alarm_.reset();
}

Timers::~Timers() {
  CHECK(armed_ == 0);
}

// The first tick at which `when` has passed.
std::uint64_t Timers::tick_of(Deadline::Clock::time_point when) const {
  if (when <= start_) return 0;
  return static_cast<std::uint64_t>((when - start_ + kTimerTick - Deadline::Clock::duration(1)) /
                                    kTimerTick);
}

void Timers::insert(Timer& timer) {
  if (armed_ == 0) {
    // Nothing is armed, so no slot has to be looked at for the time that went by.
    auto whole = (loop_.now() - start_) / kTimerTick;
    now_tick_ = std::max(now_tick_, static_cast<std::uint64_t>(whole));
  }
  timer.tick_ = std::max(tick_of(timer.deadline_.when()), now_tick_ + 1);
  link(slots_[timer.tick_ % kSlots], timer);
  ++armed_;
  if (timer.tick_ < alarm_tick_) set_alarm(timer.tick_);
}

void Timers::remove(Timer& timer) {
  unlink(timer);
  --armed_;
}

void Timers::set_alarm(std::uint64_t tick) {
  if (alarm_ == nullptr) return;
  alarm_tick_ = tick;
  alarm_->timer.expires_at(start_ + tick * kTimerTick);
  alarm_->timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) alarm();
  });
}

void Timers::fire(Timer& timer) {
  // A timer may destroy itself as it fires, so its function runs from here.
  Timer::Fired fired = std::move(timer.fired_);
  firing_ = &timer;
  try {
    fired();
  } catch (const std::exception& error) {
    log::error("loop", "a timer threw", {{"what", error.what()}});
  }
  if (firing_ != nullptr) timer.fired_ = std::move(fired);
  firing_ = nullptr;
}

void Timers::alarm() {
  Loop::Turn turn(loop_);
  alarm_tick_ = UINT64_MAX;
  auto until = std::max(now_tick_, static_cast<std::uint64_t>((loop_.now() - start_) / kTimerTick));

  // What is due moves to a list of its own first: what fires may arm and disarm at will.
  TimerLink due{&due, &due};
  std::uint64_t slots = std::min<std::uint64_t>(until - now_tick_, kSlots);
  for (std::uint64_t i = 1; i <= slots; ++i) {
    TimerLink& head = slots_[(until - slots + i) % kSlots];
    for (TimerLink* each = head.next; each != &head;) {
      TimerLink* next = each->next;
      if (static_cast<Timer*>(each)->tick_ <= until) {
        unlink(*each);
        link(due, *each);
      }
      each = next;
    }
  }
  now_tick_ = until;
  while (due.next != &due) {
    Timer& timer = static_cast<Timer&>(*due.next);
    remove(timer);
    fire(timer);
  }
  if (armed_ == 0) return;

  // The next slot with anything in it; what is a round of the wheel away costs a look each round.
  for (std::uint64_t i = 1; i <= kSlots; ++i) {
    const TimerLink& head = slots_[(now_tick_ + i) % kSlots];
    if (head.next != &head) {
      if (now_tick_ + i < alarm_tick_) set_alarm(now_tick_ + i);
      return;
    }
  }
}

}  // namespace weft
