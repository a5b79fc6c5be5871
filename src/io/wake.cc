#include "io/wake.h"

#include <utility>

#include "base/check.h"
#include "io/loop.h"

namespace weft {
namespace {

// The numbers wrap round.
bool younger(std::uint32_t generation, std::uint32_t than) {
  return static_cast<std::int32_t>(generation - than) > 0;
}

}  // namespace

std::shared_ptr<WakeTarget> WakeTarget::make(Loop& loop, Handler handler, SliceOver over) {
  return std::make_shared<WakeTarget>(loop, std::move(handler), over);
}

void WakeTarget::wake(std::uint32_t slot, std::uint32_t generation) {
  // poll_ belongs to the loop's thread, which alone may look at it.
  Loop* here = Loop::current();
  if (here != nullptr && here == home_) {
    for (Poll* poll = poll_; poll != nullptr; poll = poll->outer_) {
      if (poll->slot_ == slot && poll->generation_ == generation) {
        poll->woken_ = true;
        return;
      }
    }
    enqueue(slot, generation, Via::kTurn);
  } else {
    enqueue(slot, generation, Via::kQueue);
  }
}

WakeTarget::Slot* WakeTarget::quiet(std::uint32_t slot, std::uint32_t generation) {
  if (loop_ == nullptr) return nullptr;
  if (slot >= slots_.size()) slots_.resize(slot + 1);
  Slot& state = slots_[slot];
  if (!state.pending) return &state;
  // A late wake of a generation that is gone does not displace the live one.
  if (younger(generation, state.generation)) state.generation = generation;
  return nullptr;
}

void WakeTarget::enqueue(std::uint32_t slot, std::uint32_t generation, Via via) {
  std::lock_guard lock(mutex_);
  Slot* state = quiet(slot, generation);
  if (state == nullptr || (state->resting && !younger(generation, state->generation))) return;
  *state = Slot{.generation = generation, .pending = true};
  ready_.push_back(slot);
  if (via == Via::kTurn) {
    if (!deferred_ && !posted_) {
      deferred_ = true;
      loop_->defer([self = shared_from_this()] { self->drain(); });
    }
  } else if (!posted_ && !deferred_) {
    posted_ = true;
    loop_->post([self = shared_from_this()] { self->drain(); });
  }
}

void WakeTarget::drain() {
  {
    std::lock_guard lock(mutex_);
    posted_ = deferred_ = false;
    if (loop_ == nullptr) return;
    for (std::uint32_t slot : ready_) {
      batch_.push_back((std::uint64_t{slot} << 32) | slots_[slot].generation);
      slots_[slot].pending = false;
    }
    ready_.clear();
  }
  draining_ = true;
  for (std::size_t i = 0; i < batch_.size() && !closed_; ++i) {
    std::uint64_t each = batch_[i];
    handler_(static_cast<std::uint32_t>(each >> 32), static_cast<std::uint32_t>(each));
  }
  draining_ = false;
  batch_.clear();
  if (closed_) handler_ = nullptr;
}

void WakeTarget::rest(std::uint32_t slot, std::uint32_t generation) {
  std::lock_guard lock(mutex_);
  Slot* state = quiet(slot, generation);
  if (state == nullptr) return;  // Woken by others as well: it is polled anyway.
  *state = Slot{.generation = generation, .resting = true};
  loop_->defer_idle(
      [self = shared_from_this(), slot, generation] { self->go_on(slot, generation); });
}

void WakeTarget::go_on(std::uint32_t slot, std::uint32_t generation) {
  {
    std::lock_guard lock(mutex_);
    if (loop_ == nullptr || slot >= slots_.size()) return;
    Slot& state = slots_[slot];
    // Its call ended meanwhile, and the slot may be another's.
    if (!state.resting || state.generation != generation) return;
    state.resting = false;
  }
  draining_ = true;
  handler_(slot, generation);
  draining_ = false;
  if (closed_) handler_ = nullptr;
}

void WakeTarget::close() {
  {
    std::lock_guard lock(mutex_);
    loop_ = nullptr;
    ready_.clear();
    slots_.clear();
  }
  closed_ = true;
  if (!draining_) handler_ = nullptr;
}

WakeTarget::Poll::Poll(WakeTarget& target, std::uint32_t slot, std::uint32_t generation)
    : target_(target), outer_(target.poll_), slot_(slot), generation_(generation) {
  target_.poll_ = this;
}

WakeTarget::Poll::~Poll() {
  CHECK(target_.poll_ == this);
  target_.poll_ = outer_;
  if (!woken_) return;
  if (target_.over_ != nullptr && target_.over_()) {
    target_.rest(slot_, generation_);
  } else {
    target_.enqueue(slot_, generation_, Via::kQueue);
  }
}

}  // namespace weft
