#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace weft::node::library {

// Whom a ModuleStore asks for room for a group. Outlives the store; called from any thread, under
// the store's lock, so it neither blocks nor calls the store. The node's own modules (kOwnGroup)
// are charged to nobody.
class StorageMeter {
 public:
  virtual ~StorageMeter() = default;

  // kLimit when the group has not so much left: then the store may give back what the group has
  // not pinned and ask again.
  virtual Result<void> take(std::string_view group, std::uint64_t bytes) = 0;
  // What it has from before: counted even where it is more than the quota of today.
  virtual void keep(std::string_view group, std::uint64_t bytes) = 0;
  virtual void give_back(std::string_view group, std::uint64_t bytes) = 0;
};

}  // namespace weft::node::library
