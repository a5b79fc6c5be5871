#pragma once

#include <cstdint>

#include "capabilities/cron/schedule.h"
#include "capabilities/waking.h"
#include "io/task.h"
#include "observe/meters.h"
#include "wit/weft/cron_0_1_0/types.h"

namespace weft::cron {

using Occurrence = wit::weft::cron_0_1_0::types::Occurrence;

inline std::uint64_t seconds_of(sys_seconds when) {
  return static_cast<std::uint64_t>(when.time_since_epoch().count());
}

// Calls a component's handler once. kInternal for the error that it returned; kUnavailable: there
// was no room for an instance. `calls` outlives the call, not what becomes of it.
Task<void> call_handler(HandlerCalls& calls, RunCount runs, Occurrence occurrence);

}  // namespace weft::cron
