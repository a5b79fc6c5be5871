#include "io/gate.h"

#include <fmt/format.h>

#include "base/check.h"

namespace weft {

std::optional<Gate::Pass> Gate::enter() {
  std::lock_guard lock(mutex_);
  if (closed_) return std::nullopt;
  ++inside_;
  return Pass(this);
}

void Gate::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
}

Result<void> Gate::close_and_wait(Deadline deadline) {
  std::unique_lock lock(mutex_);
  closed_ = true;
  auto gone = [this] { return inside_ == 0; };
  if (deadline.is_never()) {
    empty_.wait(lock, gone);
  } else if (!empty_.wait_until(lock, deadline.when(), gone)) {
    return failure(Errc::kTimeout, fmt::format("{} still at work at the deadline", inside_));
  }
  return {};
}

std::size_t Gate::inside() const {
  std::lock_guard lock(mutex_);
  return inside_;
}

bool Gate::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

void Gate::leave() {
  std::lock_guard lock(mutex_);
  CHECK(inside_ > 0);
  // Told under the lock: the gate may be gone the moment the waiter sees that it is empty.
  if (--inside_ == 0) empty_.notify_all();
}

}  // namespace weft
