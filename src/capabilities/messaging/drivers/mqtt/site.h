#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/messaging/beginnings.h"
#include "capabilities/messaging/drivers/mqtt/mqtt.h"
#include "capabilities/messaging/drivers/mqtt/topics.h"
#include "capabilities/messaging/drivers/nats/dead_letters.h"
#include "capabilities/messaging/pending_replies.h"
#include "capabilities/messaging/turns.h"

namespace weft::messaging::mqtt {

// How long publishers wait for the groups that were subscribed before them.
inline constexpr std::chrono::seconds kGroupTime{2};

// What all loops have of one broker. Its parts lock for themselves.
struct Place {
  Topics topics;
  Turns turns = {};
  Beginnings beginnings{kGroupTime};
  nats::DeadLetters dead = {};
  Replays replays = {};
};

// One loop's way to one broker: a connection to publish by, and one for replies when somebody asks.
// Groups have connections of their own, so that each is sent no more than it can hold.
//
// Shared by the loop's brokers of that name and their queues. On its loop's thread.
class Site : public std::enable_shared_from_this<Site> {
 public:
  using Done = std::move_only_function<void(Result<void>)>;

  Site(Loop& loop, std::shared_ptr<const Settings> settings, std::shared_ptr<Place> place,
       std::string client_id);
  ~Site();

  Loop& loop() { return loop_; }
  const Settings& settings() const { return *settings_; }
  const std::shared_ptr<Place>& place() const { return place_; }
  remote::mqtt::Client& publisher() { return *publisher_; }

  // As the group, on this host.
  std::shared_ptr<remote::mqtt::Client> group_client(std::string_view group);
  // Somebody who is shown what is published, with no session that outlives the connection.
  std::shared_ptr<remote::mqtt::Client> watching_client();
  Answer<void> publish(Request request, const Message& message);
  Answer<std::vector<Message>> ask(Request request, Message message, std::size_t replies);

 private:
  void send(remote::mqtt::Publish message, Deadline deadline, Done done);
  void listen_for_replies();
  void reply_came(const remote::mqtt::Incoming& came);
  void replies_ready();

  Loop& loop_;
  const std::shared_ptr<const Settings> settings_;  // Shared by all loops.
  const std::shared_ptr<Place> place_;              // Likewise.
  const std::string client_id_;
  // Shared with what they have under way.
  const std::shared_ptr<remote::mqtt::Client> publisher_;
  std::shared_ptr<remote::mqtt::Client> replies_;
  std::string inbox_;          // The topic of replies, before the number of a request.
  bool replies_here_ = false;  // The server has said that they come.
  AfterGroups after_groups_;
  PendingReplies<remote::mqtt::Publish> asked_;
};

}  // namespace weft::messaging::mqtt
