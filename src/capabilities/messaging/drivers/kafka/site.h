#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/messaging/beginnings.h"
#include "capabilities/messaging/drivers/kafka/kafka.h"
#include "capabilities/messaging/drivers/kafka/topics.h"
#include "capabilities/messaging/replays.h"
#include "capabilities/messaging/turns.h"
#include "io/pool.h"
#include "io/timer.h"
#include "remote/kafka/producer.h"

namespace weft::messaging::kafka {

// How long publishers wait for the groups that were subscribed before them.
inline constexpr std::chrono::seconds kGroupTime{4};
// Who asks for dead letters while some are on their way.
inline constexpr std::size_t kWaitingMax = 65'536;
// For what blocks: of a process, and how much waits for a thread.
inline constexpr std::size_t kThreads = 4;
inline constexpr std::size_t kJobsMax = 4'096;
// How long one of them asks the server.
inline constexpr std::chrono::seconds kAskTime{10};

// What all loops have of one broker. Its parts lock for themselves.
struct Place {
  Topics topics;
  std::string group_prefix;
  Turns turns = {};
  Replays replays = {};
  Beginnings beginnings{kGroupTime};
};

// What all loops have of the backend. Its parts lock for themselves.
struct Common {
  explicit Common(Settings all) : settings(std::move(all)) {}

  const Settings settings;
  const std::shared_ptr<remote::kafka::Endings> endings =
      std::make_shared<remote::kafka::Endings>();  // Shared with clients, which end later.
  Pool pool{{.threads = kThreads, .waiting_max = kJobsMax}};

  Result<remote::kafka::Handle> open_consumer(const std::string& group,
                                              remote::kafka::Options options) const;
};

class Replies;

// One loop's way to one broker.
//
// Shared by the loop's brokers of that name and their queues. On its loop's thread.
class Site : public std::enable_shared_from_this<Site> {
 public:
  using Done = remote::kafka::Producer::Done;

  Site(Loop& loop, std::shared_ptr<Common> common, std::shared_ptr<Place> place,
       std::shared_ptr<remote::kafka::Producer> producer);
  ~Site();

  Loop& loop() { return loop_; }
  Common& common() { return *common_; }
  const std::shared_ptr<Common>& shared_common() const { return common_; }
  const std::shared_ptr<Place>& place() const { return place_; }
  // What Kafka calls a group.
  std::string group_id(std::string_view group) const;

  Answer<void> publish(Request request, const Message& message);
  Answer<std::vector<Message>> ask(Request request, Message message, std::size_t replies);
  // As soon as the groups are there that began before.
  void send(remote::kafka::Record record, Deadline deadline, Done done);
  // Keeps a dead letter.
  void bury(const DeadLetter& letter, Deadline deadline, Done done);
  // It is none any more: it was brought again, and is done.
  void unbury(const std::string& group, std::uint64_t number, Deadline deadline, Done done);
  // Calls it when all of both that are on their way are kept, or are not: at once where there is
  // none.
  Result<void> when_buried(std::move_only_function<void()> then);

 private:
  void keep(remote::kafka::Record record, Deadline deadline, Done done);

  Loop& loop_;
  const std::shared_ptr<Common> common_;                     // Shared by all loops.
  const std::shared_ptr<Place> place_;                       // Likewise.
  const std::shared_ptr<remote::kafka::Producer> producer_;  // Shared by the loop's sites.
  std::unique_ptr<Replies> replies_;                         // Null until somebody asks.
  AfterGroups after_groups_;
  std::size_t burying_ = 0;  // Dead letters on their way, and what is written of them.
  std::vector<std::move_only_function<void()>> when_buried_;
};

}  // namespace weft::messaging::kafka
