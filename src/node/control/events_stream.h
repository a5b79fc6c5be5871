#pragma once

#include <cstdint>

#include "io/task.h"
#include "node/daemon/node.h"
#include "node/wire/serving.h"

namespace weft::node::control {

// Events that are read from the disk at a time.
inline constexpr std::size_t kEventsAtOnce = 256;

// Events from number `from` on (0: from the oldest), as they come, until the client goes:
// CloudEvents, as server-sent events whose id is the number.
Task<void> send_events(wire::Serving& serving, Loop& loop, daemon::Node& node, std::uint64_t from);

}  // namespace weft::node::control
