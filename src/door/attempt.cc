#include "door/attempt.h"

#include <utility>

namespace weft {

void AttemptProvider::begin(Call& call, Completion done) {
  Deadline until = earlier(call.deadline(), Deadline::after(most_));
  Call* inner = pool_.start(link_, call.context(), call.arguments(), until);
  if (inner->state() != Call::State::kRunning) return pass_on(*inner, std::move(done));
  Attempt& attempt = attempts_.emplace_front(*this);
  attempt.place = attempts_.begin();
  attempt.inner = inner;
  attempt.done = std::move(done);
  attempt.done.on_cancel([](void* data) { static_cast<Attempt*>(data)->give_up(); }, &attempt);
  inner->set_caller(&attempt);
}

// Releases the one before the other ends: who waits for that may call again at once.
void AttemptProvider::pass_on(Call& inner, Completion done) {
  if (inner.state() == Call::State::kDone) {
    done.reply().append(inner.reply());
    inner.release();
    return std::move(done).finish();
  }
  Error error = inner.error();
  inner.release();
  std::move(done).fail(std::move(error));
}

void AttemptProvider::Attempt::completed(Call& finished) {
  Completion outer = std::move(done);
  owner.attempts_.erase(place);
  pass_on(finished, std::move(outer));
}

void AttemptProvider::Attempt::give_up() {
  Completion outer = std::move(done);
  Call* left = inner;
  owner.attempts_.erase(place);
  left->release();
  std::move(outer).fail(Error(Errc::kCancelled, "the caller has given up"));
}

}  // namespace weft
