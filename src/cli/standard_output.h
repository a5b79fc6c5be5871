#pragma once

#include <cerrno>
#include <cstdio>

#include "base/error.h"

namespace weft {

// What was printed is out, or why it is not. That nobody reads any more, as after `| head`, is
// fine.
inline Result<void> finish_output() {
  if (std::fflush(stdout) == 0 || errno == EPIPE) return {};
  return system_failure("writing to standard output", errno);
}

}  // namespace weft
