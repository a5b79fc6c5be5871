#include "node/daemon/services.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/log.h"
#include "node/library/names.h"
#include "node/links/net_node.h"
#include "node/runs/link_meter.h"
#include "node/runs/module_plans.h"
#include "values/call_text.h"

namespace weft::node::daemon {
namespace {

// Of one table.
class ServiceMaker {
 public:
  ServiceMaker(const std::string& name, const ServiceSettings& settings, const NodeParts& parts,
               const ServiceMaking& making, Problems& problems)
      : name_(name),
        where_(fmt::format("[service.{}]", name)),
        settings_(settings),
        parts_(parts),
        making_(making),
        problems_(problems) {}

  const std::string& where() const { return where_; }
  const Hash& module() const { return module_; }

  // Null: something is wrong, and told.
  std::unique_ptr<Plan> make() {
    auto in_use = find();
    if (!in_use) {
      wrong(in_use.error().message());
      return nullptr;
    }
    auto component = runs::component_of(module_, in_use->path().string(),
                                        runs::ModulePlans::Options().memory_bytes_max);
    component.name = name_;
    component.link_meter = runs::link_meter;
    if (!add_links(component)) return nullptr;
    const CapabilityTable* capabilities = grant(component);
    if (capabilities == nullptr) return nullptr;
    std::vector<Lack> lacks;
    auto plan = Plan::make(making_.runtime, *capabilities, std::move(component),
                           Plan::Opening::kOpen, lacks);
    for (const Lack& lack : lacks) tell(lack);
    if (!lacks.empty()) return nullptr;
    for (const LinkSettings& link : settings_.links) {
      if (plan->uses_link(link)) continue;
      problems_.warn(link.interface.place,
                     fmt::format("{} does not import {}", where_, link.interface.text),
                     "take the link out");
    }
    return plan;
  }

 private:
  void wrong(const std::string& found, const std::string& write = {}) {
    problems_.error(settings_.place, fmt::format("{}: {}", where_, found), write);
  }

  void tell(const Lack& lack) {
    std::string write = lack.write;
    if (lack.kind == Lack::Kind::kImport && write.empty()) {
      write = lack.found.starts_with("wasi:keyvalue/") && settings_.keyvalue_bytes == 0
                  ? "grant it a store: keyvalue = \"64MiB\""
                  : fmt::format("link it to a node that serves it, in [service.{}.links]", name_);
    }
    problems_.error(lack.place.value_or(settings_.place), fmt::format("{}: {}", where_, lack.found),
                    write);
  }

  // The module, stored and held.
  Result<library::ModuleInUse> find() {
    if (settings_.library.empty()) {
      TRY(module_,
          parts_.modules.add_file(settings_.file, library::kOwnGroup, library::Keep::kPinned));
    } else {
      auto [name, version] = library::cut_version(settings_.library);
      TRY(auto library, parts_.catalogue.find(name, version));
      module_ = library.module;
    }
    return parts_.modules.use(module_);
  }

  // What it is linked with beside its links; null: its store cannot be.
  const CapabilityTable* grant(Plan::Component& component) {
    if (settings_.keyvalue_bytes == 0) return &making_.capabilities;
    auto store = making_.stores.open(name_, settings_.keyvalue_bytes);
    if (!store) {
      wrong(store.error().message());
      return nullptr;
    }
    if ((*store)->bytes_max != settings_.keyvalue_bytes) {
      problems_.warn(settings_.place,
                     fmt::format("{}: keyvalue changed, which a reload does not heed", where_),
                     "start the node again");
    }
    component.uses["keyvalue"] = Use{.any_name = true};
    return &(*store)->capabilities;
  }

  bool add_links(Plan::Component& component) {
    bool well = true;
    for (const LinkSettings& link : settings_.links) {
      auto where = links::Whereabouts::of(link.name.text);
      if (!where) {
        problems_.error(link.name.place, fmt::format("{}: {}", where_, where.error().message()),
                        "write \"node:KEY@ADDRESS:PORT\", or node: and a name that `weft net` "
                        "shows");
        well = false;
        continue;
      }
      // Nothing is fetched by it.
      auto node = std::make_shared<links::NetNode>(link.name.text, *std::move(where), parts_.key,
                                                   std::filesystem::path());
      component.links.push_back({.settings = link, .node = std::move(node)});
    }
    return well;
  }

  const std::string& name_;
  const std::string where_;
  const ServiceSettings& settings_;
  const NodeParts& parts_;
  const ServiceMaking& making_;
  Problems& problems_;
  Hash module_ = {};
};

// Its functions by interface. What the system's own interfaces are for is not for others: a
// program's `run` is no service.
std::map<std::string, library::Service> interfaces_of(const Hash& module, const ProgramInfo& info) {
  std::map<std::string, library::Service> services;
  for (const ExportedFunction& each : info.exports) {
    if (each.interface.empty() || each.interface.starts_with("wasi:")) continue;
    library::Service& service = services[each.interface];
    service.interface = each.interface;
    service.module = module;
    service.functions.push_back({FunctionName{each.interface, each.name}.text(), each.signature});
  }
  return services;
}

bool is_offered(const NodeParts& parts, const Hash& module) {
  auto is_it = [&](const auto& each) { return each.module == module; };
  return std::ranges::any_of(parts.catalogue.list(), is_it) ||
         std::ranges::any_of(parts.catalogue.services(), is_it);
}

}  // namespace

std::optional<Services> services_of(const NodeSettings& settings, const NodeParts& parts,
                                    const ServiceMaking& making, Problems& problems) {
  std::size_t before = problems.errors();
  Services made;
  // By interface, with the table that serves it.
  std::map<std::string, std::pair<library::Service, std::string>> all;
  std::vector<Hash> stored;
  for (const auto& [name, service] : settings.service) {
    ServiceMaker maker(name, service, parts, making, problems);
    std::unique_ptr<Plan> plan = maker.make();
    stored.push_back(maker.module());
    if (plan == nullptr) continue;
    auto interfaces = interfaces_of(maker.module(), plan->info());
    if (interfaces.empty()) {
      problems.error(service.place,
                     fmt::format("{}: the component exports no interface", maker.where()),
                     "name one that does: weft inspect shows what a component exports");
    }
    for (auto& [interface, served] : interfaces) {
      auto [there, fresh] = all.try_emplace(interface, std::move(served), maker.where());
      if (fresh) continue;
      problems.error(
          service.place,
          fmt::format("{} and {} both export {}", there->second.second, maker.where(), interface),
          "take one of them out");
    }
    made.plans[maker.module()] = std::move(plan);
  }
  if (problems.errors() != before) {
    let_go(parts, stored);
    return std::nullopt;
  }
  for (auto& [interface, served] : all) made.offered.push_back(std::move(served.first));
  return made;
}

std::vector<Hash> own_modules(const NodeParts& parts) {
  std::vector<Hash> own;
  for (const library::ModuleInfo& each : parts.modules.list()) {
    bool is_own = std::ranges::any_of(each.owners, [](const library::ModuleOwner& owner) {
      return owner.group == library::kOwnGroup;
    });
    if (is_own) own.push_back(each.name);
  }
  return own;
}

void let_go(const NodeParts& parts, const std::vector<Hash>& modules) {
  for (const Hash& each : modules) {
    if (is_offered(parts, each)) continue;
    if (auto gone = parts.modules.remove(each, library::kOwnGroup); !gone) {
      log::warn("node", gone.error().message(), {{"module", each.text()}});
    }
  }
}

}  // namespace weft::node::daemon
