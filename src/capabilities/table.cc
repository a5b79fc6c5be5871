#include "capabilities/table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace weft {
namespace {

const FunctionShape* find(const Binding& binding, std::string_view name) {
  auto found = std::ranges::find(binding.functions, name, &FunctionShape::name);
  return found == binding.functions.end() ? nullptr : &*found;
}

bool fits(const Binding& binding, const Import& import) {
  return binding.interface == import.interface &&
         std::ranges::all_of(import.functions, [&](const FunctionShape& declared) {
           const FunctionShape* served = find(binding, declared.name);
           return served != nullptr && served->signature == declared.signature;
         });
}

std::vector<Function> link_functions(const Binding& binding, const Import& import) {
  std::vector<Function> functions;
  for (const FunctionShape& declared : import.functions) {
    const FunctionShape* served = find(binding, declared.name);
    functions.push_back({.interface = std::string(import.interface),
                         .name = std::string(declared.name),
                         .signature = std::string(declared.signature),
                         .ordinal = static_cast<std::uint32_t>(served - binding.functions.data()),
                         .plain = served->plain});
  }
  return functions;
}

std::string_view without_version(std::string_view interface) {
  return interface.substr(0, interface.find('@'));
}

std::string_view package_of(std::string_view interface) {
  return interface.substr(0, interface.find('/'));
}

}  // namespace

Result<Match> CapabilityTable::match(const Import& import) const {
  for (const auto& capability : capabilities_) {
    for (const Binding& binding : capability->bindings()) {
      if (!fits(binding, import)) continue;
      if (auto prepared = capability->prepare(); !prepared) {
        return std::unexpected(std::move(prepared).error().within(import.interface));
      }
      return Match{capability.get(), &binding, link_functions(binding, import)};
    }
  }
  return failure(Errc::kUnsupported, explain(import));
}

std::vector<std::string_view> CapabilityTable::offered() const {
  std::set<std::string_view> names;
  for (const auto& capability : capabilities_) {
    for (const Binding& binding : capability->bindings()) names.insert(binding.interface);
  }
  return {names.begin(), names.end()};
}

// Says which function does not fit, or else which versions of the interface, or which interfaces of
// the package there are.
std::string CapabilityTable::explain(const Import& import) const {
  const Binding* named = nullptr;
  for (const auto& capability : capabilities_) {
    for (const Binding& binding : capability->bindings()) {
      if (named == nullptr && binding.interface == import.interface) named = &binding;
    }
  }
  if (named != nullptr) {
    for (const FunctionShape& declared : import.functions) {
      const FunctionShape* served = find(*named, declared.name);
      if (served == nullptr) {
        return fmt::format("{} is offered, without a function {}", import.interface, declared.name);
      }
      if (served->signature == declared.signature) continue;
      return fmt::format(
          "{} is offered, with another type of {}: {} here, and the component wants {}",
          import.interface, declared.name, served->signature, declared.signature);
    }
  }
  std::vector<std::string_view> versions;
  std::vector<std::string_view> neighbours;
  for (std::string_view name : offered()) {
    if (without_version(name) == without_version(import.interface)) versions.push_back(name);
    if (package_of(name) == package_of(import.interface)) neighbours.push_back(name);
  }
  if (!versions.empty()) {
    return fmt::format("{} is not offered; what is: {}", import.interface,
                       fmt::join(versions, ", "));
  }
  if (!neighbours.empty()) {
    return fmt::format("{} is not offered; of its package: {}", import.interface,
                       fmt::join(neighbours, ", "));
  }
  return fmt::format("{} is not offered by anything here", import.interface);
}

}  // namespace weft
