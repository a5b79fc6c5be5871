#include "app/fitting_triggers.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace weft {

bool find_handler(const Plan& plan, const Capability& capability, Edition::Event& event) {
  const std::vector<ExportedFunction>& exports = plan.info().exports;
  std::vector<DeclaredFunction> functions;
  for (const ExportedFunction& each : exports) functions.push_back({each.name, each.signature});
  std::vector<Import> all;
  for (std::size_t i = 0; i < exports.size(); ++i) {
    all.push_back({exports[i].interface, std::span(&functions[i], 1)});
  }
  event.handler = CapabilityTable::handler(capability, all);
  if (event.handler == nullptr) return false;
  for (const FunctionInfo& wanted : event.handler->functions) {
    auto found = std::ranges::find_if(exports, [&](const ExportedFunction& each) {
      return each.interface == event.handler->interface && each.name == wanted.name;
    });
    event.functions.push_back(static_cast<std::uint32_t>(found - exports.begin()));
  }
  return true;
}

std::vector<std::string> fitting_triggers(const Plan& plan, const CapabilityTable& capabilities) {
  std::vector<std::string> fitting;
  if (plan.service() != nullptr) return fitting;
  auto add = [&](std::string_view trigger, std::string keys) {
    fitting.push_back(fmt::format("[[trigger.{}]] and in it {}component = \"{}\"", trigger, keys,
                                  plan.component().name));
  };
  if (plan.serves_http()) add("http", "route = \"/...\", ");
  for (const auto& capability : capabilities.all()) {
    auto form = capability->trigger();
    Edition::Event event;
    if (!form || !find_handler(plan, *capability, event)) continue;
    std::string keys;
    for (const DriverKey& key : form->keys) {
      if (!key.needed.empty()) keys += fmt::format("{} = \"{}\", ", key.name, key.needed);
    }
    add(form->name, std::move(keys));
  }
  return fitting;
}

}  // namespace weft
