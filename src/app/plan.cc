#include "app/plan.h"

#include <fmt/format.h>

#include <map>

namespace weft {

Result<std::unique_ptr<Plan>> Plan::make(Runtime& runtime, Component component) {
  auto plan = std::unique_ptr<Plan>(new Plan(std::move(component)));
  const Component& self = plan->component_;
  TRY(plan->program_, runtime.load(self.file, self.limits.memory_bytes));
  const ProgramInfo& info = plan->info();
  std::vector<bool> serve(info.functions.size());
  std::map<std::string, std::vector<std::string>> unserved;
  for (std::size_t i = 0; i < info.functions.size(); ++i) {
    const ImportedFunction& function = info.functions[i];
    if (!function.wasi) unserved[function.interface].push_back(function.name);
  }
  if (!unserved.empty()) {
    std::string message = fmt::format("{}: it imports what nothing here serves:", self.file);
    for (const auto& [interface, names] : unserved) {
      message += fmt::format("\n  {} ({} functions)", interface, names.size());
    }
    return failure(Errc::kUnsupported, std::move(message));
  }
  // What a command prints is its own; what a server's guest prints is a log.
  WasiGrants grants = self.grants;
  bool command = info.kind == ProgramKind::kCommand02 || info.kind == ProgramKind::kCommand03;
  grants.stdio = command ? WasiGrants::Stdio::kInherit : WasiGrants::Stdio::kLog;
  TRY(plan->linked_, plan->program_->link(serve, self.name, self.limits, grants));
  return plan;
}

std::unique_ptr<Deployment> Plan::deploy(EngineLoop& engine) const {
  auto deployment = std::make_unique<Deployment>(engine, *linked_, info().functions.size());
  deployment->app = component_.app;
  deployment->component = component_.name;
  deployment->limits = component_.limits;
  return deployment;
}

}  // namespace weft
