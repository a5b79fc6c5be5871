#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "app/plan.h"
#include "node/object/hash.h"

namespace weft::node::daemon {

// The modules that are served now, each linked and granted as its [service.NAME] says: a module is
// one service's at most, as no two serve one interface. From any thread.
class ServicePlans {
 public:
  using PlanPtr = std::shared_ptr<const Plan>;  // Shared with the runs of it.
  using All = std::unordered_map<Hash, PlanPtr, HashOfHash>;

  // Null: it is none.
  PlanPtr find(const Hash& module) const {
    std::lock_guard hold(mutex_);
    auto found = all_.find(module);
    return found == all_.end() ? nullptr : found->second;
  }
  All all() const {
    std::lock_guard hold(mutex_);
    return all_;
  }
  void set(All all) {
    std::lock_guard hold(mutex_);
    std::swap(all_, all);
  }

 private:
  mutable std::mutex mutex_;
  All all_;
};

}  // namespace weft::node::daemon
