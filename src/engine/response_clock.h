#pragma once

// For src/engine's own sources.

#include <string_view>

#include "engine/runtime.h"
#include "io/timer.h"

namespace weft {

class GuestExchange;

// How long one request may keep its guest: to the response's head, then between two parts of the
// response and to its end, then after it (`Limits::time`, `stream_idle`, `stream_total`, `time`).
//
// Owned by the request, beside its exchange. On the loop's thread only; one timer, armed anew at
// each of these steps and not at each part.
class ResponseClock {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // `what` and the limit are for the log. Called from the loop; may destroy the clock.
    virtual void out_of_time(std::string_view what, std::chrono::milliseconds limit) = 0;
  };

  // All outlive the clock.
  ResponseClock(Loop& loop, const Limits& limits, const GuestExchange& exchange, Owner& owner);

  // Each step gives the time at which it ends.
  Deadline on_request();
  Deadline on_head();
  // The exchange is let go of and the guest goes on. Only the first call counts.
  void on_response();
  void stop() { timer_.disarm(); }

 private:
  enum class Step : std::uint8_t { kHead, kStream, kAfterwards };

  Deadline begin(Step step, std::chrono::milliseconds limit);
  void arm(Deadline deadline);
  void fire();

  Loop& loop_;
  const Limits& limits_;
  const GuestExchange& exchange_;
  Owner& owner_;
  Timer timer_;
  Deadline end_ = Deadline::never();  // Of the step.
  Step step_ = Step::kHead;
};

}  // namespace weft
