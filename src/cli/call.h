#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "app/prepared_call.h"
#include "base/error.h"
#include "base/signal.h"
#include "cli/run_options.h"

namespace weft {

// The words of `weft call`.
struct CallWords {
  RunWords run;  // The file or the app, and what it gets and may spend.
  CallForm form;
  std::string provider;  // Of the app; empty: a component is called.
  std::string at;        // Given: what runs behind this admin address is called.
};

void add_call_options(CLI::App& verb, CallWords& words);
// Calls one exported function in a fresh instance, or one that a provider serves, here or in a
// running host, and prints its result.
Result<int> run_call(const CallWords& words, StopSignals& signals);

// The --time of a call that something else makes; absent: it was not written. Zero is none.
Result<std::optional<std::chrono::milliseconds>> time_of(const CallWords& words);

}  // namespace weft
