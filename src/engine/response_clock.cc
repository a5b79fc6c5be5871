#include "engine/response_clock.h"

#include "engine/guest_exchange.h"
#include "io/loop.h"

namespace weft {

ResponseClock::ResponseClock(Loop& loop, const Limits& limits, const GuestExchange& exchange,
                             Owner& owner)
    : loop_(loop), limits_(limits), exchange_(exchange), owner_(owner), timer_(loop, [this] {
        fire();
      }) {}

Deadline ResponseClock::on_request() {
  Deadline end = begin(Step::kHead, limits_.time);
  arm(end);
  return end;
}

Deadline ResponseClock::on_head() {
  Deadline end = begin(Step::kStream, limits_.stream_total);
  if (limits_.stream_idle.count() > 0) {
    arm(earlier(end, Deadline::at(loop_.now() + limits_.stream_idle)));
  } else {
    arm(end);
  }
  return end;
}

void ResponseClock::on_response() {
  if (step_ != Step::kAfterwards) arm(begin(Step::kAfterwards, limits_.time));
}

Deadline ResponseClock::begin(Step step, std::chrono::milliseconds limit) {
  step_ = step;
  end_ = limit.count() > 0 ? Deadline::at(loop_.now() + limit) : Deadline::never();
  return end_;
}

void ResponseClock::arm(Deadline deadline) {
  if (deadline.is_never()) {
    timer_.disarm();
  } else {
    timer_.arm(deadline);
  }
}

void ResponseClock::fire() {
  if (step_ == Step::kHead)
    return owner_.out_of_time("out of time before a response", limits_.time);
  if (step_ == Step::kAfterwards) {
    return owner_.out_of_time("out of time after its response", limits_.time);
  }
  Deadline::Clock::time_point now = loop_.now();
  if (now >= end_.when()) {
    return owner_.out_of_time("its response took too long", limits_.stream_total);
  }
  // A guest that waits for its client is not idle: the wire bounds how long a client takes nothing.
  Deadline::Clock::time_point moved = exchange_.has_room() ? exchange_.moved_at() : now;
  if (moved + limits_.stream_idle > now) {
    return arm(earlier(end_, Deadline::at(moved + limits_.stream_idle)));
  }
  owner_.out_of_time("nothing of its response came", limits_.stream_idle);
}

}  // namespace weft
