#pragma once

#include "base/error.h"
#include "base/signal.h"
#include "cli/run_options.h"

namespace CLI {
class App;
}

namespace weft {

// The words of `weft dev`: those of `weft run`, for one app that may be left out.
void add_dev_options(CLI::App& verb, RunWords& words);
// Builds an app, serves it, and builds and swaps it whenever one of its files changes.
Result<int> run_dev(RunWords words, StopSignals& signals);

}  // namespace weft
