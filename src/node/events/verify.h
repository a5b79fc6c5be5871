#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "node/events/event.h"
#include "node/object/key.h"
#include "node/object/receipt.h"
#include "node/object/request.h"

namespace weft::node::events {

// A line of a bill that is proven: who asked for what, and what the node says it came to.
struct ProvenLine {
  PublicKey requester = {};
  Hash name = {};  // Of the request.
  Request request = {};
  Receipt receipt = {};
  std::optional<Event> event = {};  // Where an export of the log was looked at.
};

// What a line is proven by. Borrows.
struct Proof {
  BytesView request;  // As its key signed it.
  BytesView receipt;  // As the node signed it.
  // What export_events wrote; empty: the log is not looked at.
  BytesView events = {};
};

// Proves a line without asking anybody: the request is signed by its key and was for this node, the
// receipt is signed by `node` and is for that request, key and all, and the log's event, where
// given, says the same in a chain that holds. One message says what does not: kInvalid for what is
// none of these objects, kDenied for a signature that does not hold, kConflict for things that do
// not belong together, kCorrupt for a log whose chain does not hold, kNotFound for one without the
// event.
Result<ProvenLine> verify_line(const Proof& proof, const PublicKey& node);

}  // namespace weft::node::events
