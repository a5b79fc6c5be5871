#pragma once

#include <string>

#include "node/events/event.h"
#include "node/object/key.h"

namespace weft::node::events {

// An event as one line of CloudEvents 1.0 JSON, without its newline: the id is its sequence, the
// source the node's key, the subject the request's hash, the type "weft.node.request.<action>".
std::string cloud_event(const Event& event, const PublicKey& node);

// A time as RFC 3339 has it, in UTC, with milliseconds.
std::string rfc3339(UnixMs time);

}  // namespace weft::node::events
