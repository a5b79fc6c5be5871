#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/signal.h"

namespace CLI {
class App;
}

namespace weft {

// The words of `weft node`.
struct NodeWords {
  std::string action;
  std::vector<std::string> rest;
  std::string folder;
  std::string socket;
  std::string name;
  std::string version;
  std::string by;
  std::string key;
  std::uint64_t from = 0;
  bool follow = false;
  bool json = false;
  bool csv = false;
  bool quiet = false;
};

void add_node_options(CLI::App& verb, NodeWords& words);
// Makes, starts and looks after the node of this machine.
Result<int> run_node(const NodeWords& words, StopSignals& signals);

}  // namespace weft
