#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace weft {

// What /api/overview answered, as lines for a terminal of that size: the host, its routes,
// components and capabilities. What does not fit below is left out, and says so. 0 rows: all.
struct TerminalSize {
  std::size_t columns = 100;
  std::size_t rows = 0;
};
Result<std::string> top_screen(std::string_view overview, TerminalSize size);

}  // namespace weft
