#include "door/waiting_call.h"

#include <fmt/format.h>

#include <utility>

#include "io/loop.h"

namespace weft {

WaitingCall::WaitingCall(Call& call, std::string wanted, Gone gone)
    : loop_(call.context().loop()),
      call_(&call),
      wanted_(std::move(wanted)),
      gone_(std::move(gone)),
      timer_(loop_, [this] {
        give_up(Error(Errc::kTimeout,
                      fmt::format("{} {}: it waited for {} until its deadline",
                                  call_->function().interface, call_->function().name, wanted_)));
      }) {}

std::shared_ptr<WaitingCall> WaitingCall::hold(Call& call, std::string wanted, Gone gone) {
  auto held = std::make_shared<WaitingCall>(call, std::move(wanted), std::move(gone));
  held->self_ = held;
  held->timer_.arm(call.deadline());
  call.on_cancel(
      [](void* self) {
        static_cast<WaitingCall*>(self)->give_up(
            Error(Errc::kCancelled, "the caller has given up"));
      },
      held.get());
  return held;
}

void WaitingCall::let_go(std::shared_ptr<WaitingCall> held, Then then) {
  Loop& loop = held->loop_;
  auto work = [held = std::move(held), then = std::move(then)]() mutable {
    held->timer_.disarm();
    then(std::exchange(held->call_, nullptr));
  };
  // A provider may be below us on this stack, and must not be entered again from here.
  if (loop.on_this_loop()) return loop.defer(std::move(work));
  loop.post(std::move(work));
}

void WaitingCall::give_up(Error error) {
  auto self = self_.lock();  // The queue may have the only other reference, and drops it.
  Call* call = std::exchange(call_, nullptr);
  if (call == nullptr) return;
  timer_.disarm();
  gone_(this);
  call->refuse(std::move(error));
  call->resume();
}

}  // namespace weft
