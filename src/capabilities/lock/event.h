#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <variant>

#include "door/answer.h"
#include "io/task.h"

namespace weft {
class Loop;
}  // namespace weft

namespace weft::lock {

// What is there already, or a task that waits for it. A call that is given up stops the task, and
// what its frame owns goes: which a promise does not learn.
template <class T>
using Soon = std::variant<Result<T>, Task<T>>;

template <class T>
Answer<T> answer(Soon<T> soon) {
  if (auto* there = std::get_if<0>(&soon)) return std::move(*there);
  return std::move(std::get<1>(soon));
}

// Something that one task waits for, until it happens or the task is stopped. On one loop.
class Event {
 public:
  explicit Event(Loop& loop);

  void happen();
  bool happened() const { return happened_; }
  // kCancelled: the task was stopped.
  static Task<void> wait(std::shared_ptr<Event> event);

 private:
  bool happened_ = false;
  boost::asio::steady_timer never_;
};

}  // namespace weft::lock
