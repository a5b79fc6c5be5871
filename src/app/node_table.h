#pragma once

#include <string>

#include "app/problems.h"
#include "app/table_reader.h"
#include "app/toml.h"

namespace weft {

// A node of the network that components may be linked to, as the operator wrote it:
//
//   [node.words]
//   at  = "3f5c...@192.168.1.4:7420"    # or its name, or its key, as `weft net` hears it
//   key = "me.pem"                      # who we are there
struct NodeTable {
  Placed name = {};  // What links call it.
  Placed at = {};
  Placed key = {};  // A file.

  static constexpr std::size_t kNodesMax = 64;

  // Of one table below [node]; `folder` is where the file lies.
  static NodeTable read(const TomlEntry& entry, const std::string& folder, Problems& problems);
};

}  // namespace weft
