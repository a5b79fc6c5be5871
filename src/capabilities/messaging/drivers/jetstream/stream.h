#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/messaging/beginnings.h"
#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/drivers/nats/link.h"
#include "capabilities/messaging/replays.h"
#include "capabilities/messaging/turns.h"
#include "remote/nats/jetstream.h"
#include "remote/nats/streams.h"

namespace weft::messaging::jetstream {

// Messages that a stream keeps, where it is made here; then publishing is refused.
inline constexpr std::int64_t kMessagesMax = 1'000'000;
// Dead letters of one group; the oldest go.
inline constexpr std::int64_t kLettersMax = 500;
// A group that nobody asks for messages is forgotten, with what waits for it.
inline constexpr std::chrono::hours kGroupKept{7 * 24};
// How long it takes at most to make a stream, or a group's consumer.
inline constexpr std::chrono::seconds kMakeTime{10};
// Publishers of one loop that wait until their stream is there.
inline constexpr std::size_t kWaitingMax = 131'072;

struct Settings {
  remote::nats::Settings server;
  std::string prefix = "weft.{app}.{broker}";  // Before topics.
  std::string stream = "weft-{app}-{broker}";
  // Of a stream that is made.
  unsigned replicas = 1;
  std::chrono::milliseconds max_age{0};  // 0: for as long as a group waits for it.
  std::int64_t max_bytes = -1;           // None.
  // What is held and of which nothing is heard for so long is brought to somebody else.
  std::chrono::milliseconds ack_wait{30'000};
};

// What all loops have of one broker. Its parts lock for themselves.
struct Place {
  nats::Subjects subjects;
  std::string stream;
  std::string dead_stream;
  Turns turns = {};
  Beginnings beginnings{kMakeTime};
  Replays replays = {};

  std::string dead_subject(std::string_view group) const;
};

// One loop's way to the stream of one broker, which it makes where there is none.
//
// Shared by the loop's brokers of that name and their queues. On its loop's thread.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  using Done = std::move_only_function<void(Result<void>)>;
  // With what tells a group's consumer from another one of its name: when it was made.
  using Found = std::move_only_function<void(Result<std::string>)>;

  Stream(std::shared_ptr<nats::Link> link, std::shared_ptr<const Settings> settings,
         std::shared_ptr<remote::nats::Streams> streams, std::shared_ptr<Place> place);

  remote::nats::Client& client() { return link_->client(); }
  Loop& loop() { return link_->loop(); }
  nats::Link& link() { return *link_; }
  const std::shared_ptr<nats::Link>& shared_link() const { return link_; }
  const std::shared_ptr<Place>& place() const { return place_; }
  const Settings& settings() const { return *settings_; }

  // When the stream is there, and each group that was asked for before, or could not be made.
  void ready(Done done);
  // Makes the group's consumer, or finds it. `done` is called later, never inside this call.
  void add_group(const Wanted& wanted, Found done);
  std::string consumer(std::string_view group) const { return nats::token(group); }
  // Somebody removed it: it is made anew.
  void lost();
  // Where dead letters go.
  void make_dead_stream(Done done);

 private:
  void find();
  void make(std::unique_ptr<remote::nats::Streams::Making> making);
  void found(Result<void> found);
  void make_consumer(const Wanted& wanted, Found done);
  void when_there(Done done);

  const std::shared_ptr<nats::Link> link_;          // Shared by the loop's brokers.
  const std::shared_ptr<const Settings> settings_;  // Shared by all loops, as those below.
  const std::shared_ptr<remote::nats::Streams> streams_;
  const std::shared_ptr<Place> place_;
  bool there_ = false;
  bool finding_ = false;
  std::vector<Done> waiting_for_stream_;
  std::vector<Done> waiting_;
  AfterGroups after_groups_;
  std::vector<Done> waiting_for_dead_stream_;
};

}  // namespace weft::messaging::jetstream
