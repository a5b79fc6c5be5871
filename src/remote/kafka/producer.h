#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "io/timer.h"
#include "remote/kafka/client.h"

namespace weft::remote::kafka {

// Records of one loop that wait for their acknowledgement.
inline constexpr std::size_t kSentMax = 65'536;
// A record is given up after that, whoever waits for it.
inline constexpr std::chrono::seconds kSendTime{30};

struct Record {
  std::string topic;
  std::int32_t partition = RD_KAFKA_PARTITION_UA;  // By the key; without one, any.
  std::optional<std::string> key = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  Bytes data = {};
};

// One loop's way to send: each record once in the order in which they were sent, acknowledged by
// all replicas that are in step.
//
// Shared by the loop's users and what waits for it. On its loop's thread.
class Producer : public std::enable_shared_from_this<Producer> {
 public:
  using Done = std::move_only_function<void(Result<void>)>;

  Producer(Loop& loop, std::shared_ptr<const Settings> settings, std::shared_ptr<Endings> endings);
  ~Producer();

  // `done` is called once, by the deadline: when it is kept, or why that is not known. Never inside
  // this call, but for what is refused at once.
  void send(Record record, Deadline deadline, Done done);

 private:
  struct Sent;

  Result<void> open_client();
  void poll();
  void begin_anew();
  void delivered(const rd_kafka_message_t& message);
  void end(std::uint64_t number, Result<void> how);

  Loop& loop_;
  const std::shared_ptr<const Settings> settings_;  // Shared by all loops, as the next.
  const std::shared_ptr<Endings> endings_;
  Handle client_;  // Null until the first record.
  std::unique_ptr<Watch> watch_;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, std::unique_ptr<Sent>> sent_;
};

}  // namespace weft::remote::kafka
