#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "app/edition_settings.h"
#include "app/problems.h"
#include "capabilities/table.h"

namespace weft {

// A server that was asked, and let us in.
struct Reached {
  std::string table;   // "keyvalue.carts"
  std::string driver;  // "redis"
  std::chrono::nanoseconds took;
};

// Asks what is behind each driver that the operator chose, one after the other, some seconds each
// at most: servers, files, and what keeps secrets elsewhere. What cannot be used is a problem at
// its line. Changes nothing there.
std::vector<Reached> connect_all(const Environment& environment,
                                 const CapabilityTable& capabilities, Problems& problems);
// The same of the nodes that links may name, and of what the links of the apps want there.
std::vector<Reached> connect_nodes(const EditionSettings& settings, NodeLinks& nodes,
                                   Problems& problems);

}  // namespace weft
