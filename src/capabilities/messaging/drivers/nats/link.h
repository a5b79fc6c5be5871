#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/drivers/nats/dead_letters.h"
#include "capabilities/messaging/drivers/nats/names.h"
#include "capabilities/messaging/replays.h"
#include "capabilities/messaging/turns.h"
#include "io/timer.h"
#include "remote/nats/client.h"

namespace weft::messaging::nats {

// How long a subscription stays when another queue of its group takes over: what still comes by it
// is passed on.
inline constexpr std::chrono::seconds kLeaving{1};

// What all loops have of one broker. Its parts lock for themselves.
struct Space {
  explicit Space(std::string prefix) : subjects(std::move(prefix)) {}

  const Subjects subjects;
  Turns turns;
  DeadLetters dead;
  Replays replays;
};

// One loop's way to the server, shared by all that it has of the backend.
class Link {
 public:
  Link(Loop& loop, std::shared_ptr<const remote::nats::Settings> server)
      : client_(std::make_shared<remote::nats::Client>(loop, std::move(server))),
        timer_(loop, [this] { unsubscribe_due(); }) {}

  remote::nats::Client& client() { return *client_; }
  Loop& loop() { return client_->loop(); }
  void unsubscribe_later(std::uint64_t subscription);

 private:
  void unsubscribe_due();

  const std::shared_ptr<remote::nats::Client> client_;  // Shared with what it has under way.
  // When, in order, and which: one for each queue that ended within kLeaving.
  std::deque<std::pair<Deadline::Clock::time_point, std::uint64_t>> leaving_;
  Timer timer_;
};

// Publishes a checked message and promises that the server has it.
Answer<void> publish(Link& link, const Subjects& subjects, Request request, const Message& message);
// Publishes a checked message with an inbox for so many replies, as Broker::request.
Answer<std::vector<Message>> ask(Link& link, const std::shared_ptr<Space>& space, Request request,
                                 const Message& message, std::size_t replies);

// Whether an address for replies is the server's, which asks for an acknowledgement by it, or the
// message's own.
enum class ReplyTo : std::uint8_t { kMessage, kServer };
// A subscription of its own, as Broker::watch: what a group gets it gets besides.
Result<std::unique_ptr<Watch>> watch(std::shared_ptr<Link> link, const Subjects& subjects,
                                     std::string_view pattern, ReplyTo reply_to,
                                     std::function<void(Message)> saw);

}  // namespace weft::messaging::nats
