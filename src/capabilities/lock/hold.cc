#include "capabilities/lock/hold.h"

#include <fmt/format.h>

#include <utility>

#include "io/loop.h"

namespace weft::lock {

std::string Locks::key(const LockName& lock) {
  return lock.scope + '\0' + lock.name;
}

void Locks::let_go(const LockName& lock, const std::string& holder) {
  store_->release({loop_, Deadline::after(kReleaseMax)}, lock, holder)
      .settle([turns = turns_, key = key(lock)](Result<bool>) -> Result<void> {
        turns->freed(key);
        return {};
      });
}

void Locks::close() {
  for (const auto& each : std::exchange(waiters_, {})) each->closed();
}

Hold::Hold(std::shared_ptr<Locks> locks, LockName lock, std::string holder, Lease lease)
    : locks_(std::move(locks)),
      lock_(std::move(lock)),
      holder_(std::move(holder)),
      lease_(lease),
      end_(locks_->loop(), [this] { changed(); }),
      self_(std::make_shared<Hold*>(this)) {}

Hold::~Hold() {
  *self_ = nullptr;
  tell();
  if (!released_) locks_->let_go(lock_, holder_);
}

Answer<bool> Hold::renew(Deadline deadline, Milliseconds ttl) {
  if (released_ || !held()) return false;
  if (renewing_) return failure(Errc::kConflict, "the lock is being renewed already");
  renewing_ = true;
  Clock::time_point asked = Clock::now();
  // The store may have made it shorter before its answer comes, if that ever does.
  lease_.maybe_renewed(asked, ttl);
  changed();
  return locks_->store()
      .renew({locks_->loop(), deadline}, lock_, holder_, ttl)
      .settle([self = self_, asked, ttl](Result<bool> renewed) -> Result<bool> {
        Hold* hold = *self;
        if (hold == nullptr) return renewed;
        hold->renewing_ = false;
        if (renewed && !*renewed) {
          hold->lease_.end(Clock::now());
        } else if (renewed && !hold->released_) {
          hold->lease_.renewed(asked, ttl);
        }
        hold->changed();
        if (renewed && *renewed) return hold->held();
        return renewed;
      });
}

Answer<bool> Hold::release(Deadline deadline) {
  if (released_) return false;
  // Before the store is asked: nobody is told that it is held while it may be free already.
  bool was_held = held();
  released_ = true;
  lease_.end(Clock::now());
  changed();
  return locks_->store()
      .release({locks_->loop(), deadline}, lock_, holder_)
      .settle([turns = locks_->turns(), key = Locks::key(lock_),
               was_held](Result<bool> released) -> Result<bool> {
        turns->freed(key);
        if (!released) return released;
        return was_held && *released;
      });
}

Soon<void> Hold::lost() {
  if (!held()) return Result<void>();
  std::erase_if(lost_, [](const auto& each) { return each.expired(); });
  if (lost_.size() >= kLostWaitersMax) {
    return Result<void>(failure(
        Errc::kLimit, fmt::format("{} wait for the loss of this lock already", kLostWaitersMax)));
  }
  auto event = std::make_shared<Event>(locks_->loop());
  lost_.push_back(event);
  changed();
  return Event::wait(std::move(event));
}

void Hold::changed() {
  if (lost_.empty()) return end_.disarm();
  if (held()) return end_.arm(Deadline::at(lease_.until()));
  end_.disarm();
  tell();
}

void Hold::tell() {
  for (const auto& each : std::exchange(lost_, {})) {
    if (auto event = each.lock()) event->happen();
  }
}

}  // namespace weft::lock
