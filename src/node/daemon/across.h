#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "io/loop.h"
#include "io/task.h"

namespace weft::node::daemon {

// Runs `work`, which returns a Result, as a handler of `there`, and waits for it on `here`, the
// loop of the task. Where they are one loop, it runs at once. A loop that stops meanwhile takes the
// task along.
template <class F>
Task<typename std::invoke_result_t<F&>::value_type> across(Loop& there, Loop& here, F work) {
  namespace asio = boost::asio;
  using Outcome = std::invoke_result_t<F&>;
  if (&there == &here) co_return work();
  struct Step {
    F work;
    std::optional<Outcome> outcome = {};
    std::move_only_function<void()> resume = {};
  };
  // Shared by the two handlers and the task.
  auto step = std::make_shared<Step>(std::move(work));
  auto start = [&](auto handler) {
    step->resume = [handler = std::move(handler)]() mutable { std::move(handler)(); };
    there.post([step, &here] {
      step->outcome.emplace(step->work());
      here.post([step] { std::exchange(step->resume, nullptr)(); });
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(start, asio::use_awaitable);
  co_return std::move(*step->outcome);
}

// The same for a task, which runs on `there` to its end.
inline Task<void> task_across(Loop& there, Loop& here, std::move_only_function<Task<void>()> work) {
  namespace asio = boost::asio;
  struct Step {
    std::move_only_function<Task<void>()> work;
    std::optional<Result<void>> outcome = {};
    std::move_only_function<void()> resume = {};
  };
  // Shared by the handlers and the task.
  auto step = std::make_shared<Step>(std::move(work));
  auto start = [&](auto handler) {
    step->resume = [handler = std::move(handler)]() mutable { std::move(handler)(); };
    there.post([step, &there, &here] {
      there.spawn(step->work(), [step, &here](Result<void> done) {
        step->outcome.emplace(std::move(done));
        here.post([step] { std::exchange(step->resume, nullptr)(); });
      });
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(start, asio::use_awaitable);
  co_return std::move(*step->outcome);
}

}  // namespace weft::node::daemon
