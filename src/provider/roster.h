#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "provider/handshake.h"

namespace weft {
class Loop;
}

namespace weft::provider {

class Session;

// One run of a provider's process, as a session needs it.
struct Incarnation {
  std::uint64_t number = 0;
  std::string socket;
  std::string token;
  // Shared by the sessions: each sends the same.
  std::shared_ptr<const Secret> setup;
};

// Why there is none now.
struct Absence {
  Error why;
  bool for_good = false;  // It was stopped, and does not come again.
};

using Presence = std::variant<std::shared_ptr<const Incarnation>, Absence>;

// Where the supervisor of a process and the sessions of the loops meet: what one says, the others
// are told by a post. From any thread. Shared by the process and its sessions, either of which may
// go first.
class Roster : public std::enable_shared_from_this<Roster> {
 public:
  // Names for messages: "provider resize of shop".
  explicit Roster(std::string who, Offer offer) : who_(std::move(who)), offer_(std::move(offer)) {}

  const std::string& who() const { return who_; }
  const Offer& offer() const { return offer_; }

  // For the supervisor: tells every session, and those that come.
  void publish(Presence presence);
  // Called with the number of an incarnation that broke the protocol, and how; from any thread.
  void on_broken(std::function<void(std::uint64_t, Error)> hook);

  // For the loops: the session of this loop, made if there is none. On the loop's thread.
  std::shared_ptr<Session> join(Loop& loop);
  void leave(Loop& loop);
  void report(std::uint64_t incarnation, Error error);

 private:
  struct Member {
    Loop* loop;
    std::weak_ptr<Session> session;
  };

  const std::string who_;
  const Offer offer_;
  std::mutex mutex_;
  Presence presence_ = Absence{Error(Errc::kUnavailable, "it was not started")};
  std::vector<Member> members_;
  std::function<void(std::uint64_t, Error)> broken_;
};

}  // namespace weft::provider
