#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "io/task.h"
#include "node/wire/node_client.h"

namespace weft {
class Loop;
}

namespace weft::node::client {

// How long a node may take to be heard, and how long another of its name after it.
inline constexpr std::chrono::milliseconds kHearMax{2'500};
inline constexpr std::chrono::milliseconds kHearAlso{300};
// Digits of a key that name a node.
inline constexpr std::size_t kKeyDigitsLeast = 8;

// Asks the network for a node by its name, or by the first digits of its key: where it may be, the
// address that is known longest first. kUnavailable: nobody like that is heard. kConflict: several.
Task<std::vector<wire::NodeAddress>> hear_node(Loop& loop, std::string who, Deadline deadline);

}  // namespace weft::node::client
