#pragma once

#include "base/error.h"
#include "cli/call.h"

namespace weft {

// Has a running host call the function that the words name, by its admin address, and prints the
// result. When this process ends, the host stops the call.
Result<int> call_remote(const CallWords& words);

}  // namespace weft
