#include "provider/roster.h"

#include <algorithm>
#include <utility>

#include "io/loop.h"
#include "provider/session.h"

namespace weft::provider {

// Posts under the lock: a session that leaves, and its loop with it, waits for that.
void Roster::publish(Presence presence) {
  std::lock_guard lock(mutex_);
  presence_ = std::move(presence);
  for (const Member& member : members_) {
    member.loop->post([weak = member.session, now = presence_] {
      if (auto session = weak.lock()) session->changed(now);
    });
  }
}

void Roster::on_broken(std::function<void(std::uint64_t, Error)> hook) {
  std::lock_guard lock(mutex_);
  broken_ = std::move(hook);
}

std::shared_ptr<Session> Roster::join(Loop& loop) {
  std::shared_ptr<Session> session;
  Presence now = Absence{Error(Errc::kUnavailable, "")};
  {
    std::lock_guard lock(mutex_);
    auto found = std::ranges::find(members_, &loop, &Member::loop);
    if (found != members_.end()) session = found->session.lock();
    if (session != nullptr) return session;
    session = std::make_shared<Session>(loop, shared_from_this());
    if (found != members_.end()) {
      found->session = session;
    } else {
      members_.push_back({&loop, session});
    }
    now = presence_;
  }
  session->changed(now);
  return session;
}

// Only where no other session has taken the place in the meantime.
void Roster::leave(Loop& loop) {
  std::lock_guard lock(mutex_);
  std::erase_if(members_, [&](const Member& member) {
    return member.loop == &loop && member.session.expired();
  });
}

void Roster::report(std::uint64_t incarnation, Error error) {
  std::lock_guard lock(mutex_);
  if (broken_) broken_(incarnation, std::move(error));
}

}  // namespace weft::provider
