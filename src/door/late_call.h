#pragma once

#include <memory>
#include <vector>

#include "base/deadline.h"
#include "door/call.h"
#include "io/task.h"
#include "io/timer.h"

namespace weft {

// A call whose answer comes later: keeps what the work on it may touch, and gives the call up when
// its deadline passes or its caller goes, whichever comes first. Used by answer.h.
//
// Lives until the work is over, which may be after the call was given up; on the call's loop.
class LateCall {
 public:
  explicit LateCall(Completion done);
  LateCall(const LateCall&) = delete;
  LateCall& operator=(const LateCall&) = delete;
  ~LateCall();

  Loop& loop() const { return call_->context().loop(); }
  // Keeps a resource that the call borrows until the work is over.
  void keep(Resource& lent) { lent_.emplace_back(lent); }
  // False once the call is finished or was given up.
  bool waiting() const { return static_cast<bool>(done_); }
  // The duty to finish it: the answer is here.
  Completion take();

  // Runs `task`, which answers `late` itself, on the call's loop. Giving up asks it to stop: what
  // it waits for ends with operation_aborted.
  static void spawn(std::unique_ptr<LateCall> late, Task<void> task);

 private:
  struct Work;
  void give_up(Error error);

  CallPin call_;
  Completion done_;
  std::vector<ResourcePin> lent_;
  Timer deadline_;
  std::unique_ptr<Work> work_;
};

}  // namespace weft
