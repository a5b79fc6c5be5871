#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace weft::node::library {

// The owner of what the node's own catalogue names: the machine's, no group.
inline constexpr std::string_view kOwnGroup = "";
// Groups that may own one module.
inline constexpr std::size_t kOwnersMax = 64;

enum class Keep : std::uint8_t {
  kWhileRoom,  // Until room is needed and nothing was used less recently.
  kPinned,     // Until it is removed.
};

// A group that stored a module.
struct ModuleOwner {
  std::string group;
  Keep keep = Keep::kWhileRoom;
  friend bool operator==(const ModuleOwner&, const ModuleOwner&) = default;
};

// Owners as the store writes them down, a line each. Lines that are none are left out: a damaged
// file costs an owner its claim, not the module.
std::string owners_text(std::span<const ModuleOwner> owners);
std::vector<ModuleOwner> read_owners(std::string_view text);

}  // namespace weft::node::library
