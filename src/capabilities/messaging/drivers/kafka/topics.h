#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "capabilities/messaging/broker.h"
#include "remote/kafka/producer.h"

// What of a broker is called how in Kafka, and a message as Kafka carries it.
namespace weft::messaging::kafka {

// Topics here that replies are sent to: all are in one topic there.
inline constexpr std::string_view kReplies = "_reply.";
// Of a topic there.
inline constexpr std::size_t kNameBytesMax = 249;

// The topics of one broker: behind a prefix or as they are.
class Topics {
 public:
  // Without a dot at its end; empty: none.
  explicit Topics(std::string prefix) : prefix_(std::move(prefix)) {}

  // Of a checked topic. kInvalid where Kafka has no such topic, kDenied for the server's own and
  // those of dead letters.
  Result<std::string> name(std::string_view topic) const;
  // Of a checked pattern: a topic's name, or a regular expression, which begins with ^.
  Result<std::string> subscription(std::string_view pattern) const;
  // Regular expressions of what is no message for handlers, with commas between them.
  std::string ignored() const;
  // Nothing: it is none of this broker's, or no topic that handlers may have.
  std::optional<std::string> topic(std::string_view name) const;

  std::string replies() const { return placed("_reply"); }
  std::string dead(std::string_view group) const;
  // Before the group.
  std::string all_dead() const { return placed("_dead."); }

 private:
  std::string placed(std::string_view topic) const;

  const std::string prefix_;
};

// Of a checked message.
Result<remote::kafka::Record> to_wire(const Topics& topics, const Message& message);
// Nothing: it can be no message here.
std::optional<Message> from_wire(const Topics& topics, const rd_kafka_message_t& came);

// A dead letter is its message with who could not handle it and why.
Result<remote::kafka::Record> letter_to_wire(const Topics& topics, const DeadLetter& letter);
std::optional<DeadLetter> letter_from_wire(const Topics& topics, const rd_kafka_message_t& came);

// A mark, after a dead letter in its topic: that one is done, and none any more.
remote::kafka::Record mark_to_wire(const Topics& topics, std::string_view group,
                                   std::uint64_t number);
// The letter's number; 0: it is no mark.
std::uint64_t mark_from_wire(const rd_kafka_message_t& came);

}  // namespace weft::messaging::kafka
