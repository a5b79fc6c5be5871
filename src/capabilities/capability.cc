#include "capabilities/capability.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/json_text.h"
#include "base/limits.h"
#include "base/nearest.h"

namespace weft {
namespace {

// Of a `uses` line that a message shows.
constexpr std::size_t kNamesShownMax = 8;

std::string in_quotes(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

}  // namespace

bool Use::allows(std::string_view name) const {
  return any_name || std::ranges::find(names, name) != names.end();
}

std::string how_to_grant(const Use& use, std::string_view capability, std::string_view name) {
  if (use.names.size() >= kNamesShownMax) {
    return fmt::format("add {} to its uses.{}", in_quotes(name), capability);
  }
  std::string write = fmt::format("write uses.{} = [", capability);
  for (const std::string& each : use.names) write += in_quotes(each) + ", ";
  return write + in_quotes(name) + "]";
}

TriggerProblem not_granted(const Use& use, std::string_view capability, std::string_view key,
                           std::string_view name) {
  std::string found =
      name.empty() ? fmt::format(
                         "it names no {0}, and the component is not granted the one "
                         "without a name",
                         key)
                   : fmt::format("the component is not granted the {} {}", key, in_quotes(name));
  std::string write = how_to_grant(use, capability, name);
  if (!use.names.empty()) {
    std::vector<std::string_view> known(use.names.begin(), use.names.end());
    std::string_view other = nearest(name, known).value_or(known.front());
    write += fmt::format(", or {} = {}", key, in_quotes(other));
  }
  return {std::string(key), std::move(found), std::move(write)};
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
