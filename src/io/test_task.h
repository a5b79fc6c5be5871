#pragma once

// For tests: a task run to its end on a loop that the test's own thread runs.

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "base/deadline.h"
#include "base/error.h"
#include "io/loop.h"
#include "io/task.h"
#include "io/timer.h"

namespace weft::testing {

// What came of it; kTimeout when it does not end.
template <class T>
Result<T> run_task(Loop& loop, Task<T> task, std::chrono::seconds most = std::chrono::seconds(20)) {
  std::optional<Result<T>> outcome;
  auto keep = [](Task<T> work, std::optional<Result<T>>* out) -> Task<void> {
    out->emplace(co_await std::move(work));
    co_return Result<void>();
  };
  loop.context().restart();
  loop.spawn(keep(std::move(task), &outcome), [&](Result<void>) { loop.stop(); });
  Timer patience(loop, [&] { loop.stop(); });
  patience.arm(Deadline::after(most));
  loop.run();
  if (!outcome) return failure(Errc::kTimeout, "the task did not end");
  return *std::move(outcome);
}

}  // namespace weft::testing
