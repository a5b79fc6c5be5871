#include "capabilities/messaging/beginnings.h"

#include <fmt/format.h>

#include <utility>

#include "io/loop.h"

namespace weft::messaging {

Beginnings::Id Beginnings::begins() {
  std::lock_guard hold(mutex_);
  begun_.emplace(++last_id_, Deadline::after(patience_));
  many_ = begun_.size();
  return last_id_;
}

void Beginnings::ended(Id id) {
  std::lock_guard hold(mutex_);
  if (begun_.erase(id) == 0) return;
  many_ = begun_.size();
  if (!begun_.empty()) return;
  // With the lock: who waits is there until it is forgotten.
  for (auto& [who, each] : std::exchange(waiting_, {})) each.loop->post(std::move(each.none));
}

std::optional<Deadline> Beginnings::last() const {
  if (many_ == 0) return std::nullopt;
  std::lock_guard hold(mutex_);
  std::optional<Deadline> last;
  for (const auto& [id, deadline] : begun_) {
    if (!deadline.passed()) last = deadline;
  }
  return last;
}

void Beginnings::tell(const void* who, Loop& loop, std::function<void()> none) {
  std::lock_guard hold(mutex_);
  if (begun_.empty()) return loop.post(std::move(none));
  waiting_[who] = {&loop, std::move(none)};
}

void Beginnings::forget(const void* who) {
  std::lock_guard hold(mutex_);
  waiting_.erase(who);
}

AfterGroups::AfterGroups(Loop& loop, std::shared_ptr<Beginnings> groups)
    : loop_(loop),
      self_(std::make_shared<AfterGroups*>(this)),
      groups_(std::move(groups)),
      patience_(loop, [this] { serve(); }) {}

AfterGroups::~AfterGroups() {
  *self_ = nullptr;
  groups_->forget(this);
}

Result<void> AfterGroups::room() const {
  if (waiting_.size() < kBeginningWaitsMax) return {};
  return failure(Errc::kLimit, fmt::format("{} messages wait already", kBeginningWaitsMax));
}

void AfterGroups::wait(Deadline patience, std::move_only_function<void()> work) {
  waiting_.push_back(std::move(work));
  if (waiting_.size() > 1) return;
  patience_.arm(patience);
  groups_->tell(this, loop_, [self = self_, loop = &loop_] {
    if (*self == nullptr) return;
    Loop::Turn turn(*loop);
    (*self)->serve();
  });
}

void AfterGroups::serve() {
  patience_.disarm();
  groups_->forget(this);
  for (auto& each : std::exchange(waiting_, {})) each();
}

}  // namespace weft::messaging
