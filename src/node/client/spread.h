#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "node/client/remote_node.h"

namespace weft::node::client {

inline constexpr std::size_t kSpreadNodesMax = 256;
// A node to which no other gives a chunk for so long is sent what it lacks.
inline constexpr std::chrono::milliseconds kStalledAfter{1'500};

// What came of one node.
struct SpreadTo {
  wire::NodeAddress address;
  std::optional<Error> failed = {};
  std::size_t chunks_sent = 0;
};

// Stores one module at many nodes, and sends it about once: each chunk to one of them, and what a
// node does not get from the others in time. In the order of `nodes`, until each has all of it or
// has failed. At most kSpreadNodesMax; kLimit says so.
Task<std::vector<SpreadTo>> spread(Loop& loop, std::vector<wire::NodeAddress> nodes,
                                   const SigningKey& key, const library::ChunkList& list,
                                   std::function<Result<Bytes>(std::uint32_t)> chunk,
                                   Deadline deadline);

}  // namespace weft::node::client
