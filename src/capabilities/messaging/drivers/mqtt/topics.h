#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "capabilities/messaging/message.h"
#include "remote/mqtt/packet.h"

// What of a broker is called how on an MQTT server, and a message as MQTT carries it.
namespace weft::messaging::mqtt {

// Topics that replies are sent to, here and there.
inline constexpr std::string_view kReplies = "_reply.";

// The topics of one broker, with slashes for dots: behind a prefix or as they are.
class Topics {
 public:
  // With slashes, none at its end; empty: none.
  explicit Topics(std::string prefix) : prefix_(std::move(prefix)) {}

  // Of a checked topic. kInvalid where MQTT has no such topic, kDenied for the server's own.
  Result<std::string> name(std::string_view topic) const;
  // Of a checked pattern.
  Result<std::string> filter(std::string_view pattern) const;
  // Nothing: it is none of this broker's, or cannot be a topic.
  std::optional<std::string> topic(std::string_view name) const;

 private:
  Result<std::string> placed(std::string_view topic) const;

  const std::string prefix_;
};

// Of a checked message; `qos` and number are the caller's.
Result<remote::mqtt::Publish> to_wire(const Topics& topics, const Message& message);
// Nothing: it can be no message here.
std::optional<Message> from_wire(const Topics& topics, remote::mqtt::Publish came);

}  // namespace weft::messaging::mqtt
