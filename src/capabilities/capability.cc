#include "capabilities/capability.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace weft {

bool Use::allows(std::string_view name) const {
  return any_name || std::ranges::find(names, name) != names.end();
}

const Secret* DriverChoice::find(std::string_view key) const {
  for (const auto& [name, value] : settings) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::string DriverChoice::text(std::string_view key, std::string otherwise) const {
  const Secret* found = find(key);
  return found == nullptr ? std::move(otherwise) : std::string(found->reveal());
}

Result<std::chrono::milliseconds> DriverChoice::duration(
    std::string_view key, std::chrono::milliseconds otherwise) const {
  const Secret* found = find(key);
  if (found == nullptr) return otherwise;
  Result<std::uint64_t> ns = parse_duration_ns(found->reveal());
  if (!ns) return std::unexpected(std::move(ns).error().within(key));
  constexpr std::uint64_t kNsInMs = 1'000'000;
  return std::chrono::milliseconds(std::max<std::uint64_t>(*ns / kNsInMs, 1));
}

}  // namespace weft
