#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string_view>

#include "node/policy/groups.h"
#include "node/policy/settings.h"

namespace weft::node {

// What the owner of the machine wrote: settings and groups of one moment.
struct Policy {
  NodeSettings settings = {};
  Groups groups = {};

  // Both, from a node's folder. Null where anything is wrong; all of it is told. A group that is
  // only a folder, or only a table, is told as a warning.
  static std::shared_ptr<const Policy> read(const std::filesystem::path& folder,
                                            Problems& problems);
};

// The policy that holds now. Owned by the node; from any thread. Whoever looked keeps what it saw
// to the end of what it does: shared, because that may be after the next reload.
class CurrentPolicy {
 public:
  explicit CurrentPolicy(std::shared_ptr<const Policy> policy) : policy_(std::move(policy)) {}

  std::shared_ptr<const Policy> get() const {
    std::lock_guard hold(mutex_);
    return policy_;
  }
  void set(std::shared_ptr<const Policy> policy) {
    std::lock_guard hold(mutex_);
    policy_.swap(policy);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Policy> policy_;
};

}  // namespace weft::node
