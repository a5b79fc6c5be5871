#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

#include "base/error.h"

namespace weft {

// What was printed is out, or why it is not. That nobody reads any more, as after `| head`, is
// fine.
inline Result<void> finish_output() {
  if (std::fflush(stdout) == 0 || errno == EPIPE) return {};
  return system_failure("writing to standard output", errno);
}

// The same of a line, where there is one.
inline Result<void> print_line(std::string_view line) {
  if (!line.empty()) fmt::print("{}\n", line);
  return finish_output();
}

}  // namespace weft
