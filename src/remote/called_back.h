#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "io/task.h"

namespace weft::remote {

// Waits for the Result<T> that `start` has somebody call it back with: start(done), where `done` is
// called once and later, on the loop. A `done` that is dropped ends the task.
template <class T, class Start>
Task<T> called_back(Start start) {
  namespace asio = boost::asio;
  std::optional<Result<T>> outcome;
  auto begin = [&](auto handler) {
    start([handler = std::move(handler), &outcome](Result<T> result) mutable {
      outcome.emplace(std::move(result));
      std::move(handler)();
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(begin, asio::use_awaitable);
  co_return std::move(*outcome);
}

}  // namespace weft::remote
