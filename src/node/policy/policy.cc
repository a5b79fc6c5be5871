#include "node/policy/policy.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::node {

std::shared_ptr<const Policy> Policy::read(const std::filesystem::path& folder,
                                           Problems& problems) {
  auto settings = NodeSettings::read(folder, problems);
  if (!settings) return nullptr;
  auto groups = Groups::read(settings->groups, problems);
  if (!groups) return nullptr;
  for (const std::string& name : groups->names()) {
    if (settings->group.contains(name)) continue;
    problems.warn({(settings->groups / name).string()},
                  "nothing is written of this group: it may describe, and nothing else",
                  fmt::format("write [group.{}] into node.toml", name));
  }
  for (const auto& [name, group] : settings->group) {
    if (std::ranges::binary_search(groups->names(), name)) continue;
    problems.warn(group.place, fmt::format("group {} has no key", name),
                  fmt::format("weft key trust {} {} FILE", settings->groups.string(), name));
  }
  return std::make_shared<const Policy>(*std::move(settings), *std::move(groups));
}

}  // namespace weft::node
