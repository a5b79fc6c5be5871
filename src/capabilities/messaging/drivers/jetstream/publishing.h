#pragma once

#include <memory>

#include "capabilities/messaging/drivers/jetstream/stream.h"
#include "remote/nats/client.h"

// What goes into a stream.
namespace weft::messaging::jetstream {

// How often a message is published, under one id, where it is not known whether the stream has it;
// how long each time waits for that, and the pause where the server is gone.
inline constexpr unsigned kTries = 4;
inline constexpr std::chrono::seconds kTryTime{2};
inline constexpr std::chrono::milliseconds kTryPause{100};

// Publishes a checked message: kept when the answer says so. An address for replies goes among the
// headers, and a reply itself to who waits for it, past the stream.
Answer<void> publish(const std::shared_ptr<Stream>& stream, Request request,
                     const Message& message);
// The same with an inbox for so many replies.
Answer<std::vector<Message>> ask(const std::shared_ptr<Stream>& stream, Request request,
                                 Message message, std::size_t replies);

}  // namespace weft::messaging::jetstream
