#pragma once

#include <memory>
#include <vector>

#include "engine/deployment.h"

namespace weft {

class Plan;

// Plans on one loop, each beside those that its imports are linked to. Made and destroyed on the
// loop's thread.
class Deployments {
 public:
  // In `plans` a component comes after those that it is linked to. All outlive it; `observer` may
  // be null.
  Deployments(const std::vector<std::unique_ptr<Plan>>& plans, EngineLoop& engine,
              LoopObserver* observer = nullptr);
  Deployments(const Deployments&) = delete;
  // Callers go before those they call.
  ~Deployments();

  Deployment& operator[](std::size_t plan) const { return *all_[plan].deployment; }
  // Of a plan that comes before the one being deployed.
  Deployment& of(const Plan& plan) const;
  // Whether no instance is left, and no call that still unwinds.
  bool idle() const;

 private:
  struct Deployed {
    const Plan* plan;
    std::unique_ptr<Deployment> deployment;
  };
  std::vector<Deployed> all_;
};

}  // namespace weft
