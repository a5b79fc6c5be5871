#include "capabilities/capability.h"

#include <algorithm>

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

}  // namespace weft
