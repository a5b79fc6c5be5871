#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "io/loop.h"
#include "io/pool.h"
#include "io/task.h"

namespace weft {

// Runs `work`, which returns a Result, on a thread of the pool and waits for it. Once it is
// accepted it runs to its end, also when the waiting task is stopped meanwhile.
//
// `work` is destroyed on the pool's thread: it must not own the pool, and nothing of the loop's.
template <class F>
Task<typename std::invoke_result_t<F&>::value_type> blocking(Pool& pool, Loop& loop, F work) {
  namespace asio = boost::asio;
  using Outcome = std::invoke_result_t<F&>;
  struct Step {
    F work;
    std::optional<Outcome> outcome = {};
    std::move_only_function<void()> resume = {};
  };
  // Shared by the thread that works and the task that waits: either may let go of it last.
  auto step = std::make_shared<Step>(std::move(work));
  auto run = [step] {
    try {
      step->outcome.emplace(step->work());
    } catch (const std::exception& error) {
      step->outcome.emplace(failure(Errc::kInternal, error.what()));
    }
  };
  auto resume = [step] { std::exchange(step->resume, nullptr)(); };
  auto start = [&](auto handler) {
    step->resume = [handler = std::move(handler)]() mutable { std::move(handler)(); };
    if (Result<void> accepted = pool.submit(loop, run, resume); !accepted) {
      step->outcome.emplace(std::unexpected(std::move(accepted).error()));
      loop.post(resume);
    }
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(start, asio::use_awaitable);
  co_return std::move(*step->outcome);
}

}  // namespace weft
