#include "door/concurrency.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weft {

ConcurrencyLimit::Entry ConcurrencyLimit::enter(Call& call) {
  std::lock_guard lock(mutex_);
  if (running_ < bounds_.calls) {
    ++running_;
    return Entry::kIn;
  }
  if (waiting_.size() >= bounds_.waiting) return Entry::kFull;
  waiting_.push_back(WaitingCall::hold(
      call, "its turn",
      [limit = shared_from_this()](const WaitingCall* gone) { limit->forget(gone); }));
  return Entry::kWaits;
}

// The place goes to the one that waited longest, so that none who comes now takes it.
void ConcurrencyLimit::leave() {
  std::shared_ptr<WaitingCall> next;
  {
    std::lock_guard lock(mutex_);
    if (waiting_.empty()) {
      --running_;
      return;
    }
    next = std::move(waiting_.front());
    waiting_.pop_front();
  }
  WaitingCall::let_go(std::move(next), [limit = shared_from_this()](Call* call) {
    // One that went in the meantime passes its place on.
    if (call == nullptr) return limit->leave();
    call->resume();
  });
}

void ConcurrencyLimit::forget(const WaitingCall* gone) {
  std::lock_guard lock(mutex_);
  auto found = std::ranges::find(waiting_, gone, &std::shared_ptr<WaitingCall>::get);
  if (found != waiting_.end()) waiting_.erase(found);
}

std::size_t ConcurrencyLimit::waiting() const {
  std::lock_guard lock(mutex_);
  return waiting_.size();
}

std::size_t ConcurrencyLimit::running() const {
  std::lock_guard lock(mutex_);
  return running_;
}

Layer::Flow ConcurrencyLayer::before(Call& call, State&) {
  switch (limit_->enter(call)) {
    case ConcurrencyLimit::Entry::kIn: return Flow::kOn;
    case ConcurrencyLimit::Entry::kWaits:
      if (notes_ != nullptr) notes_->note(LinkEvent::kQueued);
      return Flow::kHold;
    case ConcurrencyLimit::Entry::kFull: break;
  }
  if (notes_ != nullptr) notes_->note(LinkEvent::kShed);
  const ConcurrencyLimit::Bounds& bounds = limit_->bounds();
  call.refuse(
      Error(Errc::kLimit,
            fmt::format("{} {}: {} calls are in the {} and {} wait for their turn, the most "
                        "that the link allows",
                        call.function().interface, call.function().name, bounds.calls, who_,
                        bounds.waiting)));
  return Flow::kAnswered;
}

Layer::Flow ConcurrencyLayer::after(Call&, State&) {
  limit_->leave();
  return Flow::kOn;
}

}  // namespace weft
