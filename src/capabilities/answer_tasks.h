#pragma once

#include <utility>

#include "door/answer.h"
#include "io/loop.h"
#include "io/task.h"
#include "remote/called_back.h"

namespace weft {

// What an answer comes to, in a task of its loop. One that is dropped unfulfilled ends the task.
// Not for an answer that is a task itself.
template <class T>
Task<T> settled(Answer<T> answer) {
  if (answer.ready()) co_return std::move(answer.result());
  co_return co_await remote::called_back<T>([&](auto done) {
    auto ignored = std::move(answer).settle([done = std::move(done)](Result<T> result) mutable {
      done(std::move(result));
      return Nothing();
    });
  });
}

// Begins a task on the loop, and promises what it comes to.
template <class T>
Answer<T> promised(Loop& loop, Task<T> task) {
  Promise<T> promise;
  Answer<T> answer = promise.answer();
  auto keep = [](Loop* on, Task<T> work, Promise<T> to) -> Task<void> {
    Result<T> result = co_await std::move(work);
    Loop::Turn turn(*on);
    std::move(to).fulfil(std::move(result));
    co_return Result<void>();
  };
  loop.spawn(keep(&loop, std::move(task), std::move(promise)));
  return answer;
}

}  // namespace weft
