#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "node/wire/node_client.h"

namespace weft::node::wire {

// Other nodes that a request to store names: where the module's chunks are, or will be.
inline constexpr std::size_t kPeersMax = 64;
inline constexpr std::size_t kPeerTextMax = 160;
inline constexpr std::size_t kPeersBytesMax = kPeersMax * kPeerTextMax;

// As they stand behind the list: NodeAddress::text, a line each. At most kPeersMax are taken.
Bytes peers_text(std::span<const NodeAddress> peers);
// kInvalid for a line that is no node, kLimit for too many.
Result<std::vector<NodeAddress>> read_peers(BytesView bytes);

}  // namespace weft::node::wire
