#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/check.h"
#include "door/call.h"
#include "door/late_call.h"
#include "door/values.h"
#include "io/loop.h"
#include "io/task.h"

namespace weft {

template <class T>
class Answer;
template <class T>
class Promise;

namespace detail {

// What a Promise and the one who waits for it have in common: whoever comes second finds what the
// first has left.
template <class T>
struct PromiseState {
  std::optional<Result<T>> value;
  std::move_only_function<void(Result<T>)> waiter;
};

// The answer is in the call's reply buffer already.
struct Written {};

template <class T>
inline constexpr bool kIsAnswer = false;
template <class T>
inline constexpr bool kIsAnswer<Answer<T>> = true;

}  // namespace detail

// What a host method returns: a value now, a failure of the call, or the promise of either.
//
//   return std::nullopt;                                  // a T, or what converts to one
//   return std::unexpected(Error::no_such_store());       // where T is a std::expected
//   return weft::Error(Errc::kIo, "...");                 // the call fails: the guest traps
//   return fetch(std::string(key));                       // a Task<T>: the call waits
//   return promise.answer();                              // a Promise<T>, fulfilled later
//   return Answer<T>::written(call, view);                // encoded now, without an owned copy
//
// A method that answers with a Task passes it copies of what it borrows: views hold only until the
// method returns. The Call&, its Context and lent resources hold until the task has ended.
template <class T>
class Answer {
 public:
  using Value = T;

  Answer()
    requires std::is_void_v<T>
      : state_(std::in_place_index<0>) {}
  Answer(Result<T> result) : state_(std::in_place_index<0>, std::move(result)) {}
  Answer(Error error) : state_(std::in_place_index<0>, std::unexpected(std::move(error))) {}
  Answer(std::unexpected<Error> error) : state_(std::in_place_index<0>, std::move(error)) {}
  Answer(Task<T> task) : state_(std::in_place_index<1>, std::move(task)) {}
  template <class U>
    requires(!std::is_void_v<T> && std::convertible_to<U, T> &&
             !std::same_as<std::remove_cvref_t<U>, Result<T>> &&
             !std::same_as<std::remove_cvref_t<U>, Error> &&
             !detail::kIsAnswer<std::remove_cvref_t<U>>)
  Answer(U&& value) : state_(std::in_place_index<0>, std::in_place, std::forward<U>(value)) {}

  // Encodes `view`, a value whose owned form is T, straight into the reply of `call`. Only for what
  // the method returns itself: such an answer has no value any more.
  template <class V>
    requires std::same_as<Owned<V>, T>
  static Answer written(Call& call, const V& view) {
    Writer out(call.answer());
    out.write(view);
    if (Result<void> end = out.end(); !end) return std::move(end).error();
    return Answer(detail::Written());
  }

  // The value is here.
  bool ready() const { return state_.index() == 0; }
  Result<T>& result() { return std::get<0>(state_); }

  // An answer made from this one's value by `map`, which returns a U, a Result<U> or a failure: at
  // once where the value is here. A failure passes by.
  template <class F>
  auto then(F map) &&;
  // The same, but `map` takes the Result<T>: what turns a driver's failure into a value of the
  // guest.
  template <class F>
  auto settle(F map) &&;

 private:
  template <class>
  friend class Answer;
  friend class Promise<T>;
  template <class U, class... Lent>
  friend void finish(Completion done, Answer<U> answer, const Lent&... lent);

  using Late = std::shared_ptr<detail::PromiseState<T>>;
  explicit Answer(detail::Written written) : state_(written) {}
  explicit Answer(Late late) : state_(std::move(late)) {}

  std::variant<Result<T>, Task<T>, Late, detail::Written> state_;
};

// An answer that somebody gives later without a coroutine, for example a commit thread that posts
// to the loop. Move-only. May pass through other threads; is made, fulfilled and dropped on the
// loop. Dropped unfulfilled, it fails the call.
template <class T>
class Promise {
 public:
  Promise() : state_(std::make_shared<detail::PromiseState<T>>()) {}
  Promise(Promise&&) noexcept = default;
  Promise& operator=(Promise&&) noexcept = default;

  // What the host method returns: once.
  Answer<T> answer() { return Answer<T>(state_); }

  // Ends the call unless it was given up in the meantime.
  void fulfil(Result<T> result) && {
    auto state = std::move(state_);
    if (auto waiter = std::move(state->waiter)) return waiter(std::move(result));
    state->value = std::move(result);
  }

 private:
  // Shared by the promise and the answer it made: either may go first.
  std::shared_ptr<detail::PromiseState<T>> state_;
};

namespace detail {

template <class T>
void reply(Completion done, Result<T>& result) {
  if (!result) return std::move(done).fail(std::move(result).error());
  if constexpr (!std::is_void_v<T>) {
    Writer out(done.reply(), &done.call().context().resources());
    out.write(*result);
    if (Result<void> end = out.end(); !end) [[unlikely]] {
      return std::move(done).fail(std::move(end).error());
    }
  }
  std::move(done).finish();
}

inline void keep(LateCall& late, Resource* resource) {
  late.keep(*resource);
}
template <class R>
void keep(LateCall& late, const std::optional<R*>& resource) {
  if (resource) late.keep(**resource);
}
template <class R>
void keep(LateCall& late, const std::vector<R*>& resources) {
  for (R* each : resources) late.keep(*each);
}

template <class T>
Task<void> reply_when_done(Task<T> task, LateCall* late) {
  Result<T> result = co_await std::move(task);
  // The task was resumed by a socket or a timer: what the caller defers runs as this turn ends.
  Loop::Turn turn(late->loop());
  if (late->waiting()) reply<T>(late->take(), result);
  co_return Result<void>();
}

template <class T, class U, class F>
Task<U> map_when_done(Task<T> task, F map) {
  Result<T> result = co_await std::move(task);
  if (!result) co_return std::unexpected(std::move(result).error());
  if constexpr (std::is_void_v<T>) {
    co_return map();
  } else {
    co_return map(*std::move(result));
  }
}

template <class T, class U, class F>
Task<U> settle_when_done(Task<T> task, F map) {
  Result<T> result = co_await std::move(task);
  co_return map(std::move(result));
}

template <class T>
struct ResultOf {
  using Type = T;
};
template <class T>
struct ResultOf<Result<T>> {
  using Type = T;
};
template <class T, class F>
struct Mapped : std::invoke_result<F&, T> {};
template <class F>
struct Mapped<void, F> : std::invoke_result<F&> {};

template <class U, class T, class F>
Result<U> apply(Result<T>& result, F& map) {
  if (!result) return std::unexpected(std::move(result).error());
  if constexpr (std::is_void_v<T>) {
    return map();
  } else {
    return map(*std::move(result));
  }
}

}  // namespace detail

template <class T>
template <class F>
auto Answer<T>::then(F map) && {
  using U = typename detail::ResultOf<typename detail::Mapped<T, F>::type>::Type;
  if (auto* ready = std::get_if<0>(&state_)) {
    return Answer<U>(detail::apply<U>(*ready, map));
  }
  if (auto* task = std::get_if<1>(&state_)) {
    return Answer<U>(detail::map_when_done<T, U, F>(std::move(*task), std::move(map)));
  }
  CHECK(state_.index() == 2);
  auto& late = std::get<2>(state_);
  if (late->value) return Answer<U>(detail::apply<U>(*late->value, map));
  auto mapped = std::make_shared<detail::PromiseState<U>>();
  late->waiter = [mapped, map = std::move(map)](Result<T> result) mutable {
    Result<U> value = detail::apply<U>(result, map);
    if (auto waiter = std::move(mapped->waiter)) return waiter(std::move(value));
    mapped->value = std::move(value);
  };
  return Answer<U>(std::move(mapped));
}

template <class T>
template <class F>
auto Answer<T>::settle(F map) && {
  using U = typename detail::ResultOf<std::invoke_result_t<F&, Result<T>>>::Type;
  if (auto* ready = std::get_if<0>(&state_)) return Answer<U>(Result<U>(map(std::move(*ready))));
  if (auto* task = std::get_if<1>(&state_)) {
    return Answer<U>(detail::settle_when_done<T, U, F>(std::move(*task), std::move(map)));
  }
  CHECK(state_.index() == 2);
  auto& late = std::get<2>(state_);
  if (late->value) return Answer<U>(Result<U>(map(*std::move(late->value))));
  auto mapped = std::make_shared<detail::PromiseState<U>>();
  late->waiter = [mapped, map = std::move(map)](Result<T> result) mutable {
    Result<U> value = map(std::move(result));
    if (auto waiter = std::move(mapped->waiter)) return waiter(std::move(value));
    mapped->value = std::move(value);
  };
  return Answer<U>(std::move(mapped));
}

// Ends a call with what its host method answered. `lent` are the resources the call borrows: a
// pointer, a list or an option of pointers each. They live until a late answer is given.
template <class T, class... Lent>
void finish(Completion done, Answer<T> answer, const Lent&... lent) {
  auto wait = [&] {
    auto late = std::make_unique<LateCall>(std::move(done));
    (detail::keep(*late, lent), ...);
    return late;
  };
  switch (answer.state_.index()) {
    case 0: return detail::reply<T>(std::move(done), *std::get_if<0>(&answer.state_));
    case 1: {
      std::unique_ptr<LateCall> late = wait();
      LateCall* call = late.get();
      Task<T>& task = *std::get_if<1>(&answer.state_);
      return LateCall::spawn(std::move(late), detail::reply_when_done<T>(std::move(task), call));
    }
    case 2: {
      auto& promise = *std::get_if<2>(&answer.state_);
      if (promise->value) return detail::reply<T>(std::move(done), *promise->value);
      promise->waiter = [late = wait()](Result<T> result) {
        if (late->waiting()) detail::reply<T>(late->take(), result);
      };
      return;
    }
    default: return std::move(done).finish();
  }
}

}  // namespace weft
