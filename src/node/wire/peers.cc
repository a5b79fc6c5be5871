#include "node/wire/peers.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::node::wire {

Bytes peers_text(std::span<const NodeAddress> peers) {
  std::string text;
  for (const NodeAddress& each : peers.first(std::min(peers.size(), kPeersMax))) {
    text += each.text() + "\n";
  }
  return to_bytes(text);
}

Result<std::vector<NodeAddress>> read_peers(BytesView bytes) {
  std::vector<NodeAddress> peers;
  std::string_view text = as_text(bytes);
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    if (end == std::string_view::npos || end > kPeerTextMax) {
      return failure(Errc::kInvalid, "what follows the module's list is no line for each node");
    }
    if (peers.size() == kPeersMax) {
      return failure(Errc::kLimit, fmt::format("a request names at most {} nodes", kPeersMax));
    }
    TRY(auto peer, NodeAddress::parse(text.substr(0, end)));
    peers.push_back(std::move(peer));
    text.remove_prefix(end + 1);
  }
  return peers;
}

}  // namespace weft::node::wire
