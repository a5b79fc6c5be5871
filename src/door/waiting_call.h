#pragma once

#include <functional>
#include <memory>
#include <string>

#include "door/call.h"
#include "io/timer.h"

namespace weft {

// A call that a layer holds in `before` until somebody on any loop lets it go, its deadline passes
// or its caller goes, whichever comes first.
//
// Shared by the call's loop and by the queue that it waits in, which hands it over whole:
// everything but `let_go`, its destruction too, happens on the call's loop.
class WaitingCall {
 public:
  // It gave up: whoever queued it forgets it. On the call's loop; where it was let go already, its
  // Then still comes, without a call.
  using Gone = std::move_only_function<void(const WaitingCall*)>;
  // Resumes the call, answered or not. Null: it is over.
  using Then = std::move_only_function<void(Call*)>;

  // Inside `before`, which returns kHold. `wanted`, for people: "its turn".
  static std::shared_ptr<WaitingCall> hold(Call& call, std::string wanted, Gone gone);
  WaitingCall(Call& call, std::string wanted, Gone gone);
  WaitingCall(const WaitingCall&) = delete;

  // From any thread, once; `then` runs later on the call's loop, never inside this. Takes the
  // reference along, so that the last one ends on that loop.
  static void let_go(std::shared_ptr<WaitingCall> held, Then then);

 private:
  void give_up(Error error);

  Loop& loop_;
  Call* call_;  // Null once it is over.
  std::string wanted_;
  Gone gone_;
  Timer timer_;
  std::weak_ptr<WaitingCall> self_;
};

}  // namespace weft
