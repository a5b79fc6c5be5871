#include "app/linked_import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "app/interface_name.h"
#include "values/difference.h"

namespace weft {
namespace {

// What is shown of a signature, twice for a function that does not fit.
constexpr std::size_t kShownMax = 200;

std::string shortened(std::string_view text) {
  if (text.size() <= kShownMax) return std::string(text);
  return fmt::format("{}...", text.substr(0, kShownMax));
}

std::string where_they_differ(const std::string& wanted, const std::string& offered) {
  auto a = parse_signature(wanted);
  auto b = parse_signature(offered);
  std::optional<std::string> found = a && b ? difference(*a, *b) : std::nullopt;
  return found.value_or("what their resources are called");
}

// Signatures are alike when their text is, but for the names of resources, which are each side's.
bool fits(const ImportedFunction& wanted, const ExportedFunction& offered) {
  if (wanted.is_async != offered.is_async) return false;
  if (wanted.signature == offered.signature) return true;
  auto a = parse_signature(wanted.signature);
  auto b = parse_signature(offered.signature);
  return a && b && !difference(*a, *b);
}

// Of what the callee exports, the interface that serves this one: the very name before another
// version. Empty: none.
std::string_view exported_as(std::string_view interface,
                             std::span<const ExportedFunction> exports) {
  std::string_view found;
  for (const ExportedFunction& each : exports) {
    if (each.interface == interface) return each.interface;
    if (serves(InterfaceName::of(each.interface), InterfaceName::of(interface))) {
      found = each.interface;
    }
  }
  return found;
}

std::string names_of(std::span<const ExportedFunction> exports) {
  std::set<std::string_view> names;
  for (const ExportedFunction& each : exports) {
    if (!each.interface.empty()) names.insert(each.interface);
  }
  return names.empty() ? "no interface" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

Result<std::vector<std::uint32_t>> match_exports(const WantedInterface& wanted_interface,
                                                 std::span<const ImportedFunction* const> functions,
                                                 std::span<const ExportedFunction> exports,
                                                 std::string_view who) {
  const auto& [import, interface] = wanted_interface;
  std::string_view offered = exported_as(interface, exports);
  if (offered.empty()) {
    return failure(Errc::kUnsupported, fmt::format("{} does not serve {}; what it serves: {}", who,
                                                   interface, names_of(exports)));
  }
  std::vector<std::uint32_t> numbers;
  std::string wrong;
  for (const ImportedFunction* wanted : functions) {
    auto found = std::ranges::find_if(exports, [&](const ExportedFunction& each) {
      return each.interface == offered && each.name == wanted->name;
    });
    if (found == exports.end()) {
      wrong += fmt::format("\n  {}\n    wanted   {}\n    offered  nothing of that name",
                           wanted->name, shortened(wanted->signature));
    } else if (!fits(*wanted, *found)) {
      wrong += fmt::format("\n  {}\n    wanted   {}\n    offered  {}\n    differ   {}",
                           wanted->name, shortened(wanted->signature), shortened(found->signature),
                           where_they_differ(wanted->signature, found->signature));
    } else {
      numbers.push_back(static_cast<std::uint32_t>(found - exports.begin()));
    }
  }
  if (wrong.empty()) return numbers;
  return failure(Errc::kUnsupported, fmt::format("{} of {} does not fit what is imported as {}:{}",
                                                 offered, who, import, wrong));
}

std::string_view named_among(std::string_view written, std::span<const ExportedFunction> exports) {
  auto found = std::ranges::find_if(exports, [&](const ExportedFunction& each) {
    return means(InterfaceName::of(written), InterfaceName::of(each.interface));
  });
  return found == exports.end() ? written : std::string_view(found->interface);
}

std::vector<ExportedFunction> exports_of(const provider::Offer& offer) {
  std::vector<ExportedFunction> exports;
  for (const provider::OfferedInterface& interface : offer) {
    for (const provider::OfferedFunction& function : interface.functions) {
      auto signature = parse_signature(function.signature);
      exports.push_back({.interface = interface.name,
                         .name = function.name,
                         .signature = function.signature,
                         .is_async = signature && signature->is_async});
    }
  }
  return exports;
}

}  // namespace weft
