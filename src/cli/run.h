#pragma once

#include "base/error.h"
#include "base/signal.h"
#include "cli/run_options.h"

namespace weft {

// Runs one file until it ends, or until a signal when it serves. The exit code: a command's own, 0
// after serving.
Result<int> run(const RunOptions& options, StopSignals& signals);

}  // namespace weft
