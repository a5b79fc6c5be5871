#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "base/secret.h"
#include "remote/health.h"

namespace weft {
class Loop;
}

namespace weft::remote::kafka {

// To make a connection, and between two attempts at most.
inline constexpr std::chrono::milliseconds kConnectTime{5'000};
inline constexpr std::chrono::milliseconds kReconnectMax{2'000};
// What a producer keeps of what is not acknowledged, and a consumer of what is not polled yet.
inline constexpr std::size_t kBufferedBytesMax = 64UL << 20;
inline constexpr std::size_t kAheadBytesMax = 8UL << 20;
// A record, with all that is beside its data. The servers' own bound comes first as a rule.
inline constexpr std::size_t kRecordBytesMax = 4UL << 20;
// How long a client that goes waits to have left its group.
inline constexpr std::chrono::seconds kLeaveTime{2};

struct Settings {
  std::string servers = "";  // HOST:PORT, with commas between them.
  enum class Way : std::uint8_t { kPlain, kTls } way = Way::kPlain;
  std::string ca_file = "";  // Empty: the system's.
  std::string user = "";     // Empty: nobody is named.
  Secret password = {};
  std::string mechanism = "PLAIN";
  std::string compression = "none";
  std::chrono::milliseconds timeout{5'000};   // Of a server that owes an answer.
  std::chrono::milliseconds session{45'000};  // Of a group's member of which nothing is heard.
  std::chrono::milliseconds refresh{10'000};  // Between two looks for new topics.
  // Shared by the clients of all loops.
  std::shared_ptr<Health> health = nullptr;
  // For tests: every server is spoken to by this port of 127.0.0.1, whatever it says of itself.
  std::uint16_t through_port = 0;
};

enum class Kind : std::uint8_t { kProducer, kConsumer };
using Options = std::vector<std::pair<std::string, std::string>>;

// What ends clients, each on a thread of its own: it waits for the server. Shared with the clients.
class Endings : public std::enable_shared_from_this<Endings> {
 public:
  // Leaves the client's group, within kLeaveTime, and destroys it. From any thread.
  void end(rd_kafka_t* client, void* own);
  // For those that are under way. Not on a loop's thread that they may need.
  void wait(Deadline deadline);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t under_way_ = 0;  // Guarded.
};

// A client. Shared by who uses it on a loop and by what blocks for it elsewhere; left to `Endings`
// by the last of them.
using Handle = std::shared_ptr<rd_kafka_t>;

// Makes one; connects later. kInvalid for settings that librdkafka does not take.
Result<Handle> open(const Settings& settings, Kind kind, const Options& options,
                    const std::shared_ptr<Endings>& endings);

// Asks once whether a server is there and lets us in. Blocks until the deadline.
Result<void> reach(const Settings& settings, Deadline deadline,
                   const std::shared_ptr<Endings>& endings);

// Tells a loop of a queue's events. Owned on the loop, whose thread it is for; gone, it tells no
// more.
class Watch {
 public:
  // `ready` polls until nothing is there. Takes the queue.
  Watch(Loop& loop, rd_kafka_queue_t* queue, std::function<void()> ready);
  ~Watch();
  Watch(const Watch&) = delete;

  // The next event, or null.
  rd_kafka_event_t* poll() { return rd_kafka_queue_poll(queue_, 0); }
  rd_kafka_queue_t* queue() const { return queue_; }

 private:
  struct Wait;

  rd_kafka_queue_t* const queue_;
  const std::shared_ptr<Wait> wait_;  // Shared with the handler that waits.
};

struct DestroyEvent {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
using Event = std::unique_ptr<rd_kafka_event_t, DestroyEvent>;

struct DestroyList {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, DestroyList>;

// Gives back what a rebalance takes, however the group shares out.
void unassign(rd_kafka_t* client, const rd_kafka_topic_partition_list_t* partitions);

}  // namespace weft::remote::kafka
