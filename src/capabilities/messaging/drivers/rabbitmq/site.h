#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "capabilities/messaging/beginnings.h"
#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/drivers/rabbitmq/wire.h"
#include "capabilities/messaging/pending_replies.h"
#include "capabilities/messaging/replays.h"
#include "capabilities/messaging/turns.h"
#include "remote/amqp/client.h"
#include "remote/amqp/publisher.h"

namespace weft::messaging::rabbitmq {

// How long publishers wait for the groups that were subscribed before them.
inline constexpr std::chrono::seconds kGroupTime{5};
// Messages of one group that went back to the server and whose attempts are known.
inline constexpr std::size_t kKnownMax = 4'096;
// Who waits to look through the dead letters.
inline constexpr std::size_t kScansMax = 1'024;

enum class QueueType : std::uint8_t { kQuorum, kClassic };

struct Settings {
  remote::amqp::Settings server;
  std::string prefix = "weft.{app}.{broker}";
  std::string exchange = "";  // Empty: the prefix.
  QueueType queue_type = QueueType::kQuorum;
};

// The attempts of messages that a queue of this process held and gave back, for the next one: the
// server counts what it brought, whatever became of it. From any thread.
class Attempts {
 public:
  void put(const std::string& group, const std::string& id, unsigned attempts);
  // It is known no more then.
  std::optional<unsigned> take(const std::string& group, const std::string& id);
  // Groups that were there so far.
  void add_group(const std::string& group);
  std::vector<std::string> groups() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::map<std::string, unsigned>> groups_;  // Guarded.
};

// What all loops have of one broker. Its parts lock for themselves.
struct Place {
  Names names;
  Turns turns = {};
  Beginnings beginnings{kGroupTime};
  Attempts attempts = {};
  Replays replays = {};
};

// One loop's way to one broker: a connection to publish by, where the server may stop reading when
// it is low on memory, and one for its groups, whose acknowledgements it shall read then too.
//
// Shared by the loop's brokers of that name and their queues. On its loop's thread.
class Site : public std::enable_shared_from_this<Site> {
 public:
  using Done = std::move_only_function<void(Result<void>)>;

  Site(Loop& loop, std::shared_ptr<const Settings> settings, std::shared_ptr<Place> place);
  ~Site();

  Loop& loop() { return loop_; }
  const std::shared_ptr<Place>& place() const { return place_; }
  const Settings& settings() const { return *settings_; }
  const Names& names() const { return place_->names; }
  remote::amqp::Client& groups() { return *groups_; }

  Answer<void> publish(Request request, const Message& message);
  Answer<std::vector<Message>> ask(Request request, Message message, std::size_t replies);
  // Its group's queue for them is there, or this fails as kNotFound.
  void keep_letter(const DeadLetter& letter, Deadline deadline, Done done);

  // One after the other looks through the dead letters. False: too many wait. `scan` says whether
  // it begins; it then says that it ends.
  bool scan_begins(std::move_only_function<bool()> scan);
  void scan_ends();

 private:
  void send(remote::amqp::Publish message, Deadline deadline, Done done);
  void reply_came(remote::amqp::Incoming came);

  Loop& loop_;
  const std::shared_ptr<const Settings> settings_;  // Shared by all loops.
  const std::shared_ptr<Place> place_;              // Likewise.
  // Shared with what they have under way.
  const std::shared_ptr<remote::amqp::Client> publishing_;
  const std::shared_ptr<remote::amqp::Client> groups_;
  remote::amqp::Publisher publisher_;
  AfterGroups after_groups_;
  std::deque<std::move_only_function<bool()>> scans_;
  bool scanning_ = false;
  PendingReplies<remote::amqp::Publish> asked_;
};

}  // namespace weft::messaging::rabbitmq
