#pragma once

#include <memory>
#include <optional>
#include <string>

#include "capabilities/lock/hold.h"

namespace weft::lock {

// How long one question to a store may take where the call has no deadline of its own.
inline constexpr std::chrono::seconds kAskMax{10};

struct Wanted {
  LockName lock;
  Milliseconds ttl;
  Milliseconds wait;
};

// Waits for the lock, until `deadline` at most: kTimeout says that somebody else had it all the
// time. On the loop. Whoever stops the task waits no more.
Soon<std::unique_ptr<Hold>> acquire(std::shared_ptr<Locks> locks, Wanted wanted, Deadline deadline);
// Asks once; null: somebody has it or waits for it.
Answer<std::unique_ptr<Hold>> try_acquire(std::shared_ptr<Locks> locks, LockName lock,
                                          Milliseconds ttl, Deadline deadline);

}  // namespace weft::lock
