#pragma once

#include "cli/net.h"
#include "node/object/key.h"

namespace weft {

// Nodes that one asks for what they offer, at most; of those beyond it only what they say by
// themselves is told.
inline constexpr std::size_t kDescribedMax = 256;

// Who is there. As a tree or JSON with what each of them tells the key's owner, where there is a
// key; null: there is none.
Result<int> list_nodes(const NetWords& words, const node::SigningKey* key);
// What one node tells.
Result<int> describe_node(const NetWords& words, const node::SigningKey& key);

}  // namespace weft
