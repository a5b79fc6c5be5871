#pragma once

#include <boost/asio/io_context.hpp>
#include <optional>
#include <utility>

#include "base/check.h"
#include "capabilities/sql/database.h"
#include "io/loop.h"

namespace weft::sql {

// Runs the loop, which nobody else runs, until the answer is there.
template <class T>
Or<T> await(Loop& loop, Answer<Or<T>> answer) {
  if (answer.ready()) {
    CHECK(answer.result().has_value());
    return *std::move(answer.result());
  }
  std::optional<Or<T>> outcome;
  auto settled = std::move(answer).settle([&](Result<Or<T>> result) {
    CHECK(result.has_value());
    outcome = *std::move(result);
    loop.stop();
    return Nothing();
  });
  loop.context().restart();
  if (!outcome) loop.run();
  CHECK(outcome.has_value());
  return *std::move(outcome);
}

}  // namespace weft::sql
