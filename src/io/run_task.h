#pragma once

#include <boost/asio/io_context.hpp>
#include <optional>
#include <utility>

#include "io/loop.h"
#include "io/task.h"

namespace weft {

// One task on a loop of this thread, to its end.
template <class T>
Result<T> run_task(Loop& loop, Task<T> task) {
  std::optional<Result<T>> outcome;
  auto keep = [](Task<T> work, std::optional<Result<T>>* out) -> Task<void> {
    out->emplace(co_await std::move(work));
    co_return Result<void>();
  };
  loop.spawn(keep(std::move(task), &outcome), [&](Result<void>) { loop.stop(); });
  loop.run();
  loop.context().restart();
  if (!outcome) return failure(Errc::kInternal, "a task was left behind");
  return *std::move(outcome);
}

}  // namespace weft
