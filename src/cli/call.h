#pragma once

#include <string>

#include "base/error.h"
#include "base/signal.h"
#include "cli/run_options.h"

namespace weft {

// The words of `weft call`.
struct CallWords {
  RunWords run;  // The file, and what it gets and may spend.
  std::string function;
  std::string arguments;
  bool json = false;
};

void add_call_options(CLI::App& verb, CallWords& words);
// Calls one exported function in a fresh instance and prints its result.
Result<int> run_call(const CallWords& words, StopSignals& signals);

}  // namespace weft
