#pragma once

#include <optional>

#include "base/error.h"
#include "capabilities/messaging/drivers/nats/names.h"
#include "capabilities/messaging/message.h"
#include "remote/nats/client.h"

// A message as NATS carries it: metadata as headers.
namespace weft::messaging::nats {

// Where the answer to a message goes, when NATS's own place for that is taken.
inline constexpr std::string_view kReplyHeader = "Weft-Reply-To";

// What is published for a checked message, without where it is answered to. kDenied as `subject`.
Result<remote::nats::Outgoing> to_wire(const Subjects& subjects, const Message& message);
// The subject that answers go to; empty: none are wanted. kInvalid where it can be none.
Result<std::string> reply_subject(const Subjects& subjects, const Message& message);

// Nothing: it can be no message here, for its subject or because it is not text where text is
// needed.
std::optional<Message> from_wire(const Subjects& subjects, remote::nats::Message came);

}  // namespace weft::messaging::nats
