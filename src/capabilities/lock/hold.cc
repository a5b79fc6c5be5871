#include "capabilities/lock/hold.h"

#include <fmt/format.h>

#include <utility>

#include "capabilities/answer_tasks.h"
#include "io/loop.h"

namespace weft::lock {

std::string Locks::key(const LockName& lock) {
  return lock.scope + '\0' + lock.name;
}

namespace {

// Whether it was done is not known, and there is time left to ask.
bool is_lost(const Result<bool>& answer, Deadline deadline) {
  if (answer || deadline.passed()) return false;
  Errc why = answer.error().code();
  return why == Errc::kUnavailable || why == Errc::kTimeout;
}

Task<bool> released(std::weak_ptr<Locks> weak, LockName lock, std::string holder, Deadline deadline,
                    Clock::time_point until, Answer<bool> first) {
  Result<bool> answer = co_await settled(std::move(first));
  auto locks = weak.lock();
  if (locks == nullptr || !is_lost(answer, deadline)) co_return answer;
  Answer<bool> second = locks->store().release({locks->loop(), deadline}, lock, holder);
  locks = nullptr;
  answer = co_await settled(std::move(second));
  if (answer && !*answer && Clock::now() < until) co_return true;
  co_return answer;
}

}  // namespace

Answer<bool> Locks::release(const LockName& lock, const std::string& holder, Deadline deadline,
                            Clock::time_point until) {
  Answer<bool> first = store_->release({loop_, deadline}, lock, holder);
  if (first.ready() && !is_lost(first.result(), deadline)) return first;
  return promised(loop_,
                  released(weak_from_this(), lock, holder, deadline, until, std::move(first)));
}

void Locks::let_go(const LockName& lock, const std::string& holder) {
  release(lock, holder, Deadline::after(kReleaseMax), Clock::time_point::min())
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
  Clock::time_point until = lease_.until();
  released_ = true;
  lease_.end(Clock::now());
  changed();
  return locks_->release(lock_, holder_, deadline, until)
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
