#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/drivers/kafka/topics.h"
#include "capabilities/messaging/pending_replies.h"
#include "remote/kafka/client.h"

namespace weft::messaging::kafka {

class Site;

// What one loop asks, and a reader of the broker's topic of replies, from its end on. All that ask
// read all replies, and take theirs.
//
// Owned by its site, on its loop.
class Replies {
 public:
  explicit Replies(Site& site);
  ~Replies();

  Answer<std::vector<Message>> ask(Request request, Message message, std::size_t replies);

 private:
  void open();
  void found(Result<std::int32_t> partitions);
  void poll();
  void at_end(std::int32_t partition);
  void came(const rd_kafka_message_t& came);

  Site& site_;
  const std::shared_ptr<Replies*> self_;  // Null once it is gone: answers come later.
  const std::string address_;             // Of replies, before the number of a request.
  bool opening_ = false;
  bool ready_ = false;                   // It stands at the ends of all partitions.
  std::map<std::int32_t, bool> at_end_;  // By partition.
  remote::kafka::Handle client_;         // Null until somebody asks.
  std::unique_ptr<remote::kafka::Watch> watch_;
  PendingReplies<remote::kafka::Record> asked_;
};

}  // namespace weft::messaging::kafka
