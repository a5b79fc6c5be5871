#pragma once

#include <utility>

#include "capabilities/keyvalue/drivers/many.h"
#include "door/answer.h"
#include "io/task.h"
#include "remote/called_back.h"

namespace weft::lock {

// Begins a task of a driver's, and promises what it answers.
using keyvalue::started;

// Waits for an answer that is there or is a promise.
template <class T>
Task<T> answer_of(Answer<T> answer) {
  if (answer.ready()) co_return std::move(answer.result());
  auto start = [&answer](auto done) {
    std::move(answer).settle([done = std::move(done)](Result<T> result) mutable {
      done(std::move(result));
      return Result<void>();
    });
  };
  co_return co_await remote::called_back<T>(start);
}

}  // namespace weft::lock
