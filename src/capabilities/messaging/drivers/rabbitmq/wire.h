#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/message.h"
#include "remote/amqp/channel.h"
#include "remote/amqp/method.h"

// What of a broker is called how on a RabbitMQ server, and a message as AMQP carries it.
namespace weft::messaging::rabbitmq {

// Topics that replies are sent to: _reply.CORRELATION.QUEUE, where the queue is the server's own.
inline constexpr std::string_view kReplies = "_reply.";
// Where the server sends replies to whoever has asked on the same channel.
inline constexpr std::string_view kReplyQueue = "amq.rabbitmq.reply-to";

struct Names {
  std::string prefix;
  std::string exchange;

  std::string queue(std::string_view group) const;
  std::string dead_queue(std::string_view group) const;
  // Another one each time, and no group's.
  std::string watch_queue() const;
};

// The routing key to bind by, of a checked pattern: it may stand for more than that.
std::string binding_key(std::string_view pattern);

// Of a checked message, with an id of its own. A reply goes to its queue. kInvalid where AMQP
// cannot carry it.
Result<remote::amqp::Publish> to_wire(const Names& names, const Message& message);
// Nothing: it can be no message here.
std::optional<Message> from_wire(remote::amqp::Incoming came);

// An id of weft's, by which a message is known again. Empty: it has none.
std::string id_of(const remote::amqp::Incoming& came);
// How often it was brought before, as the server counts it: a classic queue only says whether.
unsigned deliveries_before(const remote::amqp::Incoming& came);

// What a letter is found by, made of its message id. 0: it has none of weft's.
std::uint64_t number_of(std::string_view id);
// A dead letter as it lies in its queue, and back.
Result<remote::amqp::Publish> letter_to_wire(const Names& names, const DeadLetter& letter);
std::optional<DeadLetter> letter_from_wire(std::string_view group, remote::amqp::Incoming came);

}  // namespace weft::messaging::rabbitmq
