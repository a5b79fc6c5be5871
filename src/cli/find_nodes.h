#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli/net.h"
#include "node/discovery/neighbours.h"
#include "node/wire/node_client.h"

namespace weft {

class Loop;

// Which nodes the words of `weft net` mean.

Result<std::chrono::milliseconds> duration_of(std::string_view flag, const std::string& text);

using Heard = std::vector<node::discovery::Neighbour>;

// Who is heard within --wait.
Result<Heard> listen(Loop& loop, const NetWords& words);
// A node by KEY@HOST:PORT, or as it is heard: by its name or the first digits of its key.
Result<node::wire::NodeAddress> find_node(Loop& loop, const NetWords& words,
                                          const std::string& who);

struct FoundNodes {
  std::vector<node::wire::NodeAddress> nodes = {};
  // Of each that was heard, and answers at none of its addresses: the others are meant all the
  // same.
  std::vector<Error> away = {};
};
// Several, with commas between them; "all": who is heard. A name that nobody has, or several, is an
// error: whoever wrote it means something else.
Result<FoundNodes> find_nodes(Loop& loop, const NetWords& words, const std::string& text);

}  // namespace weft
