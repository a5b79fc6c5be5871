#include "node/links/offered.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/interface_name.h"
#include "app/linked_import.h"
#include "node/library/names.h"
#include "values/type.h"

namespace weft::node::links {
namespace {

// Of as many as fit a message.
constexpr std::size_t kNamedMax = 20;

void add_exports(std::span<const library::LibraryFunction> functions,
                 std::vector<ExportedFunction>& exports) {
  for (const library::LibraryFunction& each : functions) {
    std::size_t cut = each.name.rfind('#');
    if (cut == std::string::npos) continue;  // Of no interface: nothing that is imported is.
    auto signature = parse_signature(each.signature);
    exports.push_back({.interface = each.name.substr(0, cut),
                       .name = each.name.substr(cut + 1),
                       .signature = each.signature,
                       .is_async = signature && signature->is_async});
  }
}

}  // namespace

Result<const library::Library*> find_library(const client::Description& description,
                                             std::string_view library) {
  auto [name, version] = library::cut_version(library);
  std::string within = version ? fmt::format("{}.", *version) : "";
  const library::Library* found = nullptr;
  std::vector<std::string> known;
  for (const library::Library& each : description.libraries) {
    if (known.size() < kNamedMax) known.push_back(fmt::format("{}@{}", each.name, each.version));
    bool fits = !version || each.version == *version || each.version.starts_with(within);
    if (each.name != name || !fits) continue;
    if (found == nullptr || library::version_before(found->version, each.version)) found = &each;
  }
  if (found != nullptr) return found;
  return failure(Errc::kNotFound,
                 fmt::format("it has no library {}; what it has: {}", library,
                             known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", "))));
}

Result<const library::Library*> find_exporter(const client::Description& description,
                                              std::string_view interface) {
  const library::Library* found = nullptr;
  for (const library::Library& each : description.libraries) {
    bool exports = std::ranges::any_of(each.functions, [&](const library::LibraryFunction& one) {
      std::size_t cut = one.name.rfind('#');
      return cut != std::string::npos &&
             serves(InterfaceName::of(one.name.substr(0, cut)), InterfaceName::of(interface));
    });
    if (!exports) continue;
    bool newer = found != nullptr && found->name == each.name &&
                 library::version_before(found->version, each.version);
    if (found == nullptr || newer) found = &each;
  }
  if (found != nullptr) return found;
  return failure(Errc::kNotFound, fmt::format("no library of it exports {}", interface));
}

Result<void> check_right(const client::Description& description, std::string_view right) {
  if (description.may.contains(right)) return {};
  return failure(Errc::kDenied,
                 fmt::format("our key may not {} there; what it may: {}", right,
                             description.may.empty() ? "nothing that it is told, as its group has "
                                                       "to have describe, too, or it is in no group"
                                                     : description.may));
}

Result<NodeOffer> offer_of(const client::Description& description, const std::string& library) {
  NodeOffer offer;
  TRY_VOID(check_right(description, "call"));
  if (library.empty()) {
    for (const library::Service& each : description.services) {
      add_exports(each.functions, offer.exports);
    }
    return offer;
  }
  TRY(const library::Library* found, find_library(description, library));
  offer.module = found->module.text();
  add_exports(found->functions, offer.exports);
  return offer;
}

Result<Bound> bind(const NodeImport& import, const NodeOffer& offer) {
  std::vector<const ImportedFunction*> functions;
  for (const ImportedFunction& each : import.functions) functions.push_back(&each);
  TRY(auto numbers, match_exports({import.import, named_among(import.interface, offer.exports)},
                                  functions, offer.exports, import.who));
  Bound bound;
  if (!offer.module.empty()) {
    TRY(bound.module, Hash::parse(offer.module));
  }
  for (std::uint32_t number : numbers) {
    const ExportedFunction& each = offer.exports[number];
    bound.functions.push_back(each.interface + "#" + each.name);
  }
  return bound;
}

}  // namespace weft::node::links
