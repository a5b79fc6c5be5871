#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "remote/nats/client.h"

// What JetStream answers over a client: its API, whose requests and answers are JSON, and the
// acknowledgements of what is published to a stream.
namespace weft::remote::nats {

// JetStream's own number for what is wrong.
enum class Problem : std::uint32_t {
  kNone = 0,
  kNoResponders = 1,  // Ours: no stream takes what was published, or there is no JetStream.
  kConsumerNotFound = 10014,
  kMessageNotFound = 10037,
  kStreamNameInUse = 10058,
  kStreamNotFound = 10059,
  kWrongLastSequence = 10071,
};

struct ApiAnswer {
  Problem problem = Problem::kNone;
  Error error{Errc::kInternal, ""};  // What `problem` is, where there is one.
  boost::json::object body = {};
};

struct PublishAck {
  Problem problem = Problem::kNone;
  Error error{Errc::kInternal, ""};
  std::uint64_t sequence = 0;
  bool duplicate = false;  // It was there already, by its Nats-Msg-Id.
};

// $JS.API.`what`. `done` fails where there is no answer, or one that cannot be read.
void api(Client& client, std::string_view what, const boost::json::object& body, Deadline deadline,
         Client::Repeat repeat, std::move_only_function<void(Result<ApiAnswer>)> done);
// Publishes to a stream and waits until it has the message.
void publish(Client& client, Outgoing message, Deadline deadline, Client::Repeat repeat,
             std::move_only_function<void(Result<PublishAck>)> done);

// For tests of drivers and of what else reads such answers.
Result<ApiAnswer> read_api_answer(Message message);
Result<PublishAck> read_publish_ack(Message message);

}  // namespace weft::remote::nats
