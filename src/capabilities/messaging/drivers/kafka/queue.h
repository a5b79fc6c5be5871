#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/deliveries.h"
#include "capabilities/messaging/drivers/kafka/group.h"
#include "capabilities/messaging/drivers/kafka/site.h"
#include "capabilities/messaging/drivers/kafka/window.h"
#include "remote/kafka/client.h"

namespace weft::messaging::kafka {

// Between two writings of where the group stands.
inline constexpr std::chrono::milliseconds kWriteEvery{10};
// How long a queue that stopped tries to write where the group stands.
inline constexpr std::chrono::seconds kWriteTime{10};
// A queue without room stops to fetch, so that its client is polled all the same.
inline constexpr std::chrono::milliseconds kFullFor{500};

// One group's messages as a consumer of Kafka's group of that name. On one loop.
//
// What is brought is done in any order; the position of a partition that is written is behind all
// that is done without a gap, with notes of the rest.
class KafkaQueue final : public Queue {
 public:
  KafkaQueue(std::shared_ptr<Site> site, Wanted wanted, Receiver& receiver);
  ~KafkaQueue() override;

  void settle(std::uint64_t id, Verdict verdict) override;
  void stop() override;
  bool idle() const override { return released_; }

 private:
  using Id = Deliveries::Id;
  // A partition that this consumer has.
  struct Part {
    std::string topic;
    std::int32_t number;
    Window window;
    bool unwritten = false;  // The server does not know yet where it stands.
    bool lost = false;       // Another consumer of the group has it now.
  };
  // Shared by the table of those that it has, what is held of it, and a writing under way.
  using PartPtr = std::shared_ptr<Part>;
  struct Receipt {
    PartPtr part;
    Window::Offset offset;
  };

  void take_turn();
  void begin();
  void begun(Result<void> begun);
  void trouble(const Error& error);
  void pump();
  bool may_take() const;
  void handle(rd_kafka_event_t* event);
  void rebalance(rd_kafka_event_t* event);
  void ask_positions();
  void assign(Result<std::vector<Position>> positions);
  void lose(const rd_kafka_topic_partition_list_t& partitions);
  void took(const rd_kafka_message_t& came);
  void given(std::vector<Left> left);
  void done(Id id);
  void bury(Id id, std::string reason);
  void settle_letter(Id id, const Verdict& verdict);
  void unbury(Id id);
  void touch(const PartPtr& part);
  void write();
  void written(rd_kafka_resp_err_t error);
  void full();
  void pause_all(bool on);
  void go_on();
  void release_if_over();
  void release();

  const std::shared_ptr<KafkaQueue*> self_;  // Null once it is gone: answers come later.
  const std::shared_ptr<Site> site_;         // Shared by the loop's brokers of that name.
  const std::string group_;
  remote::kafka::Handle client_;  // Null until it has its turn.
  std::unique_ptr<remote::kafka::Watch> watch_;
  Beginnings::Id beginning_ = 0;
  bool stopped_ = false;
  bool released_ = false;
  bool troubled_ = false;  // The last that was heard is a failure.
  bool paused_ = false;
  bool gave_up_ = false;
  std::size_t burying_ = 0;  // Dead letters on their way, and what is written of them.
  remote::kafka::PartitionList
      assigned_;  // Given by the group, until it is known where they stand.
  std::map<std::pair<std::string, std::int32_t>, PartPtr> parts_;
  std::vector<PartPtr> writing_;    // Under way.
  std::map<Id, Receipt> receipts_;  // Of those that are held.
  // Of those that are dead letters, by their numbers. As many as there are of them at most.
  std::map<Id, std::uint64_t> letters_;
  Deliveries deliveries_;
  Timer again_;
  Timer write_;
  Timer full_;
  Timer patience_;
};

}  // namespace weft::messaging::kafka
