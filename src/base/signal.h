#pragma once

#include <optional>

#include "base/deadline.h"

namespace weft {

// SIGINT, SIGTERM and SIGHUP as something to wait for. Made by main before any thread, so that all
// of them inherit the mask; one per process. Also turns SIGPIPE and SIGXFSZ off: a closed peer and
// a file that may not grow are error codes.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;

  // Blocks until one arrives and returns its number; nothing when the deadline passes first. A
  // second signal during the shutdown is found by another wait. The SIGHUP of a terminal that goes
  // away comes as SIGTERM: SIGHUP is what somebody sent.
  std::optional<int> wait(Deadline deadline = Deadline::never());

  // From any thread: one wait, the current or the next, returns nothing.
  void interrupt();
};

}  // namespace weft
