#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "capabilities/cron/trigger.h"
#include "capabilities/operable.h"

namespace weft::cron {

// How long a run by hand waits for the lock of its schedule: somebody may run it, or have died.
inline constexpr std::chrono::seconds kRunNowWait{30};

// Runs a schedule's component once, now, as its trigger does: with the schedule's lock, which is
// held and renewed meanwhile, so that no other run of it goes on at the same time, here or on
// another host, and with its fencing token. Nothing is written down: the next run comes when it
// would have come. Answers {token, ms}; a handler that returns an error, traps or takes too long is
// a failure, and so is a component without room for an instance.
//
// Dropped, it breaks the run off, with who makes the calls.
std::unique_ptr<OperatorWork> run_now(const Waking& waking, TriggerOptions options, Keeping keeping,
                                      OperatorEvents events);

}  // namespace weft::cron
