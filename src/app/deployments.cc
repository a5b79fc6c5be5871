#include "app/deployments.h"

#include <algorithm>

#include "app/plan.h"
#include "base/check.h"

namespace weft {

Deployments::Deployments(const std::vector<std::unique_ptr<Plan>>& plans, EngineLoop& engine,
                         LoopObserver* observer) {
  for (const auto& plan : plans) {
    all_.push_back({plan.get(), plan->deploy(engine, *this, observer)});
  }
}

Deployments::~Deployments() {
  while (!all_.empty()) all_.pop_back();
}

Deployment& Deployments::of(const Plan& plan) const {
  auto found = std::ranges::find(all_, &plan, &Deployed::plan);
  CHECK(found != all_.end());
  return *found->deployment;
}

bool Deployments::idle() const {
  return std::ranges::all_of(all_,
                             [](const Deployed& each) { return each.deployment->contexts == 0; });
}

}  // namespace weft
