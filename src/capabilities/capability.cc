#include "capabilities/capability.h"

#include <algorithm>

namespace weft {

bool Use::allows(std::string_view name) const {
  return any_name || std::ranges::find(names, name) != names.end();
}

}  // namespace weft
