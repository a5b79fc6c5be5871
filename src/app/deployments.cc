#include "app/deployments.h"

#include <algorithm>

#include "app/plan.h"
#include "base/check.h"

namespace weft {

Deployments::Deployments(const std::vector<std::unique_ptr<Plan>>& plans, EngineLoop& engine,
                         LoopObserver* observer, Shared shared) {
  for (const auto& plan : plans) {
    all_.push_back({plan.get(), plan->deploy(engine, *this, observer)});
    if (plan->service() != nullptr && shared == Shared::kHere) settle_here(all_.back());
  }
}

Deployments::~Deployments() {
  while (!all_.empty()) all_.pop_back();
}

void Deployments::settle_here(Deployed& deployed) {
  const Plan& plan = *deployed.plan;
  EngineLoop& engine = deployed.deployment->engine;
  deployed.instance = std::make_unique<SharedInstance>(*deployed.deployment, plan.info());
  std::vector<Function> functions;
  for (const ExportedFunction& each : plan.info().exports) {
    functions.push_back({.interface = each.interface,
                         .name = each.name,
                         .signature = each.signature,
                         .plain = each.plain});
  }
  deployed.home = std::make_unique<ServiceHome>(plan.service(), engine.loop(), engine.calls(),
                                                *deployed.instance, std::move(functions));
}

const Deployments::Deployed& Deployments::deployed(const Plan& plan) const {
  auto found = std::ranges::find(all_, &plan, &Deployed::plan);
  CHECK(found != all_.end());
  return *found;
}

Deployment& Deployments::of(const Plan& plan) const {
  return *deployed(plan).deployment;
}

SharedInstance* Deployments::shared(const Plan& plan) const {
  return deployed(plan).instance.get();
}

// Callers come after those they call: those on this loop have been asked before.
bool Deployments::wind_down() {
  for (auto each = all_.rbegin(); each != all_.rend(); ++each) {
    if (each->home != nullptr) {
      if (!each->home->deserted()) return false;
      each->instance->end();
    }
    if (each->deployment->contexts != 0) return false;
  }
  return true;
}

}  // namespace weft
