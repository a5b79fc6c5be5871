#pragma once

#include "base/error.h"
#include "base/signal.h"
#include "cli/call.h"

namespace weft {

// How long a call of a provider may take where --time says nothing.
inline constexpr std::chrono::seconds kProviderCallTime{60};

// Starts the process that the words name, as both files describe it, calls one function and stops
// it. `call` is of the words' own text.
Result<int> call_provider(const CallWords& words, const CallText& call, StopSignals& signals);

}  // namespace weft
