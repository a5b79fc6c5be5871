#include "capabilities/keyvalue/drivers/dynamodb/places.h"

#include <fmt/format.h>

namespace weft::keyvalue::dynamodb {

void Places::leave() {
  if (waiting_.empty()) {
    ++free_;
    return;
  }
  Waiter& next = *waiting_.front();
  waiting_.pop_front();
  next.has_place = true;
  next.signal.raise();
}

Task<Places::Place> Places::take(Deadline deadline) {
  if (free_ > 0) {
    --free_;
    co_return Place(*this);
  }
  if (waiting_.size() >= kWaitingMax) {
    co_return failure(Errc::kLimit, fmt::format("DynamoDB: {} requests wait already", kWaitingMax));
  }
  Waiter waiter{remote::Signal(loop_)};
  auto at = waiting_.insert(waiting_.end(), &waiter);
  // Whoever goes while it waits leaves nothing behind, and passes on the place that it got.
  struct Left {
    Places& places;
    Waiter& waiter;
    std::list<Waiter*>::iterator at;
    bool taken = false;
    ~Left() {
      if (!waiter.has_place) {
        places.waiting_.erase(at);
      } else if (!taken) {
        places.leave();
      }
    }
  } left{*this, waiter, at};
  Result<void> waited = co_await waiter.signal.wait(deadline);
  if (waiter.has_place) {
    left.taken = true;
    co_return Place(*this);
  }
  if (waited || waited.error().code() != Errc::kTimeout) {
    co_return failure(Errc::kCancelled, "DynamoDB: nobody waits for it any more");
  }
  co_return failure(Errc::kTimeout, "DynamoDB: the deadline passed before it was sent");
}

}  // namespace weft::keyvalue::dynamodb
