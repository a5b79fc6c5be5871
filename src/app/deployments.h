#pragma once

#include <memory>
#include <vector>

#include "engine/deployment.h"
#include "engine/service_home.h"
#include "engine/shared_instance.h"

namespace weft {

class Plan;

// Plans on one loop, each beside those that its imports are linked to. Made and destroyed on the
// loop's thread.
//
// One loop is the home of all shared components of an edition: of all, so that none of them waits
// for another's home to wind down.
class Deployments {
 public:
  enum class Shared : unsigned char { kHere, kElsewhere };

  // In `plans` a component comes after those that it is linked to. All outlive it; `observer` may
  // be null.
  Deployments(const std::vector<std::unique_ptr<Plan>>& plans, EngineLoop& engine,
              LoopObserver* observer = nullptr, Shared shared = Shared::kHere);
  Deployments(const Deployments&) = delete;
  // Callers go before those they call.
  ~Deployments();

  Deployment& operator[](std::size_t plan) const { return *all_[plan].deployment; }
  // Of a plan that comes before the one being deployed.
  Deployment& of(const Plan& plan) const;
  // What serves the calls of a shared one, where this is its home; else null.
  SharedInstance* shared(const Plan& plan) const;
  // Ends the shared instances that nobody can call any more: those who may are counted by now.
  // Returns whether no instance is left, and no call that still unwinds.
  bool wind_down();

 private:
  struct Deployed {
    const Plan* plan;
    std::unique_ptr<Deployment> deployment;
    // Of a shared one at home.
    std::unique_ptr<SharedInstance> instance = nullptr;
    std::unique_ptr<ServiceHome> home = nullptr;
  };
  const Deployed& deployed(const Plan& plan) const;
  static void settle_here(Deployed& deployed);
  std::vector<Deployed> all_;
};

}  // namespace weft
