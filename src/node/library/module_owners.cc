#include "node/library/module_owners.h"

#include <fmt/core.h>

#include <algorithm>

#include "node/library/names.h"

namespace weft::node::library {
namespace {

constexpr std::string_view kKeeps = "keeps ";
constexpr std::string_view kPins = "pins ";

}  // namespace

std::string owners_text(std::span<const ModuleOwner> owners) {
  std::string text;
  for (const ModuleOwner& owner : owners) {
    text += fmt::format("{}{}\n", owner.keep == Keep::kPinned ? kPins : kKeeps, owner.group);
  }
  return text;
}

std::vector<ModuleOwner> read_owners(std::string_view text) {
  std::vector<ModuleOwner> owners;
  while (!text.empty() && owners.size() < kOwnersMax) {
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    bool pins = line.starts_with(kPins);
    if (!pins && !line.starts_with(kKeeps)) continue;
    std::string_view group = line.substr(pins ? kPins.size() : kKeeps.size());
    if (group != kOwnGroup && !check_owner_name(group)) continue;
    auto is_it = [&](const ModuleOwner& owner) { return owner.group == group; };
    if (std::ranges::any_of(owners, is_it)) continue;
    owners.push_back({std::string(group), pins ? Keep::kPinned : Keep::kWhileRoom});
  }
  return owners;
}

}  // namespace weft::node::library
