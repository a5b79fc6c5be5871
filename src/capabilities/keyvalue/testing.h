#pragma once

#include <boost/asio/io_context.hpp>
#include <optional>
#include <utility>

#include "base/check.h"
#include "door/answer.h"
#include "io/loop.h"

namespace weft::keyvalue {

// Runs the loop, which nobody else runs, until the answer is there.
template <class T>
Result<T> await(Loop& loop, Answer<T> answer) {
  if (answer.ready()) return std::move(answer.result());
  std::optional<Result<T>> outcome;
  auto settled = std::move(answer).settle([&](Result<T> result) {
    outcome = std::move(result);
    loop.stop();
    return Nothing();
  });
  loop.context().restart();
  if (!outcome) loop.run();
  CHECK(outcome.has_value());
  return *std::move(outcome);
}

}  // namespace weft::keyvalue
