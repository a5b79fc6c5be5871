#include "node/daemon/services.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.h"
#include "node/library/names.h"

namespace weft::node::daemon {
namespace {

struct Found {
  Hash module = {};
  std::vector<library::LibraryFunction> functions = {};
};

Result<Found> find(const ServiceSettings& service, const NodeParts& parts,
                   const ExportsOf& exports_of) {
  Found found;
  if (service.library.empty()) {
    TRY(found.functions, exports_of(service.file.string()));
    TRY(found.module,
        parts.modules.add_file(service.file, library::kOwnGroup, library::Keep::kPinned));
    return found;
  }
  auto [name, version] = library::cut_version(service.library);
  TRY(auto library, parts.catalogue.find(name, version));
  return Found{library.module, std::move(library.functions)};
}

// Its functions by interface. What the system's own interfaces are for is not for others: a
// program's `run` is no service.
std::map<std::string, library::Service> interfaces_of(Found found) {
  std::map<std::string, library::Service> services;
  for (library::LibraryFunction& function : found.functions) {
    std::size_t cut = function.name.rfind('#');
    if (cut == std::string::npos || function.name.starts_with("wasi:")) continue;
    std::string interface = function.name.substr(0, cut);
    library::Service& service = services[interface];
    service.interface = interface;
    service.module = found.module;
    service.functions.push_back(std::move(function));
  }
  return services;
}

bool is_offered(const NodeParts& parts, const Hash& module) {
  auto is_it = [&](const auto& each) { return each.module == module; };
  return std::ranges::any_of(parts.catalogue.list(), is_it) ||
         std::ranges::any_of(parts.catalogue.services(), is_it);
}

}  // namespace

std::optional<std::vector<library::Service>> services_of(const NodeSettings& settings,
                                                         const NodeParts& parts,
                                                         const ExportsOf& exports_of,
                                                         Problems& problems) {
  std::size_t before = problems.errors();
  // By interface, with the table that serves it.
  std::map<std::string, std::pair<library::Service, std::string>> all;
  for (const auto& [name, service] : settings.service) {
    std::string where = fmt::format("[service.{}]", name);
    auto found = find(service, parts, exports_of);
    if (!found) {
      problems.error(service.place, fmt::format("{}: {}", where, found.error().message()), "");
      continue;
    }
    auto interfaces = interfaces_of(*std::move(found));
    if (interfaces.empty()) {
      problems.error(service.place, fmt::format("{}: the component exports no interface", where),
                     "name one that does: weft inspect shows what a component exports");
    }
    for (auto& [interface, served] : interfaces) {
      auto [there, fresh] = all.try_emplace(interface, std::move(served), where);
      if (fresh) continue;
      problems.error(
          service.place,
          fmt::format("{} and {} both export {}", there->second.second, where, interface),
          "take one of them out");
    }
  }
  if (problems.errors() != before) return std::nullopt;
  std::vector<library::Service> services;
  for (auto& [interface, served] : all) services.push_back(std::move(served.first));
  return services;
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
