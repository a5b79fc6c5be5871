#pragma once

#include <functional>

#include "base/deadline.h"
#include "io/task.h"

namespace weft {
class Loop;
}

namespace weft::remote {

// What one task waits for, and callbacks of the same loop raise. A raise that nobody waits for is
// kept until somebody does.
class Signal {
 public:
  explicit Signal(Loop& loop) : loop_(loop) {}
  Signal(const Signal&) = delete;

  // Resumes who waits at the end of this turn, never from inside this call.
  void raise();
  // Fails with kTimeout after the deadline, and with kCancelled when the task is stopped. One task
  // waits at a time, and the signal stays until it has gone on.
  Task<void> wait(Deadline deadline);

 private:
  Loop& loop_;
  bool raised_ = false;
  std::move_only_function<void()> waiter_;
};

// Returns at that time, or earlier with kCancelled.
Task<void> pause(Loop& loop, Deadline until);

}  // namespace weft::remote
