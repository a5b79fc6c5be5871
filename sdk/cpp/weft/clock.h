// Waiting: `co_await weft::sleep_for(50ms)` in WASI 0.3, `weft::sleep_for(50ms)` in 0.2.
#pragma once

#include <chrono>

#include "guest.h"
#ifdef GUEST_SUBTASK_STATE
#include "weft/async.h"
#endif

namespace weft {

#ifdef GUEST_SUBTASK_STATE
// Lets the other coroutines of the instance run meanwhile.
inline Task<> sleep_for(std::chrono::nanoseconds time) {
  if (time.count() <= 0) co_return;
  co_await Subtask{wasi_clocks_monotonic_clock_wait_for(static_cast<std::uint64_t>(time.count()))};
}
#else
inline void sleep_for(std::chrono::nanoseconds time) {
  if (time.count() <= 0) return;
  auto timer =
      wasi_clocks_monotonic_clock_subscribe_duration(static_cast<std::uint64_t>(time.count()));
  wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(timer));
  wasi_io_poll_pollable_drop_own(timer);
}
#endif

// Nanoseconds of a clock that only goes forward.
inline std::chrono::nanoseconds now() {
  return std::chrono::nanoseconds(wasi_clocks_monotonic_clock_now());
}

}  // namespace weft
