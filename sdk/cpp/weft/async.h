// Coroutines for components of WASI 0.3, over the async part of the component model.
//
// Over the C bindings of a world `guest`. An exported async function starts a coroutine with
// run_export; the coroutine waits with co_await on Io (a read or write of a stream or future) and
// Subtask (an async import). One component instance may run many such calls at once, on one thread.
// when_all runs several coroutines beside each other and waits for all of them.
#pragma once

#include <coroutine>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "guest.h"

#ifndef GUEST_SUBTASK_STATE
#error "the world has no async function: this header is for WASI 0.3"
#endif

namespace weft {

template <class T>
class Task;

namespace detail {

// What one exported call waits for. Made when the call starts, destroyed when its last coroutine is
// done; the engine hands it back at each event.
class Call {
 public:
  Call() : set_(guest_waitable_set_new()) {}
  Call(const Call&) = delete;
  ~Call() { guest_waitable_set_drop(set_); }

  static Call& current() { return *current_; }
  void make_current() { current_ = this; }

  // `who` runs again when `waitable` has news, which is then in `code`.
  void wait(std::uint32_t waitable, std::coroutine_handle<> who, std::uint32_t* code) {
    guest_waitable_join(waitable, set_);
    waiting_.push_back({waitable, who, code});
  }
  void wake(std::uint32_t waitable, std::uint32_t code) {
    for (Waiter& each : waiting_) {
      if (each.waitable != waitable) continue;
      Waiter found = each;
      each = waiting_.back();
      waiting_.pop_back();
      guest_waitable_join(waitable, 0);
      *found.code = code;
      found.who.resume();
      return;
    }
  }

  void started() { ++running_; }
  void ended() { --running_; }
  bool done() const { return running_ == 0; }
  guest_callback_code_t wait_code() const { return GUEST_CALLBACK_CODE_WAIT(set_); }

 private:
  struct Waiter {
    std::uint32_t waitable;
    std::coroutine_handle<> who;
    std::uint32_t* code;
  };
  static inline Call* current_ = nullptr;
  guest_waitable_set_t set_;
  std::vector<Waiter> waiting_;  // A call waits for few things at once.
  unsigned running_ = 0;
};

template <class T>
struct Outcome {
  std::optional<T> value;
  void return_value(T result) { value.emplace(std::move(result)); }
  T take() { return std::move(*value); }
};

template <>
struct Outcome<void> {
  void return_void() {}
  void take() {}
};

}  // namespace detail

// A coroutine that starts when it is awaited, and whose result the awaiting one takes.
template <class T = void>
class [[nodiscard]] Task {
 public:
  struct promise_type : detail::Outcome<T> {
    std::coroutine_handle<> next = std::noop_coroutine();
    detail::Call* detached_from = nullptr;

    Task get_return_object() {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      struct Final {
        bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
          auto next = self.promise().next;
          if (detail::Call* call = self.promise().detached_from) {
            call->ended();
            self.destroy();
          }
          return next;
        }
        void await_resume() noexcept {}
      };
      return Final{};
    }
    void unhandled_exception() { std::abort(); }
  };

  Task(Task&& other) noexcept : self_(std::exchange(other.self_, {})) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (self_) self_.destroy();
  }

  bool await_ready() const { return false; }
  auto await_suspend(std::coroutine_handle<> next) {
    self_.promise().next = next;
    return self_;
  }
  T await_resume() { return self_.promise().take(); }

  // Runs beside the current coroutine, as part of the same exported call.
  void detach() && {
    auto self = std::exchange(self_, {});
    auto& call = detail::Call::current();
    self.promise().detached_from = &call;
    call.started();
    self.resume();
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> self) : self_(self) {}
  std::coroutine_handle<promise_type> self_;
};

// Waits for a read or write of a stream or a future: `co_await Io{waitable, started_read}` gives
// its final status.
struct Io {
  std::uint32_t waitable;
  guest_waitable_status_t status;

  bool await_ready() const { return status != GUEST_WAITABLE_STATUS_BLOCKED; }
  void await_suspend(std::coroutine_handle<> who) {
    detail::Call::current().wait(waitable, who, &status);
  }
  guest_waitable_status_t await_resume() const { return status; }
};

// Waits for an async import: `co_await Subtask{started_call}`. Its results are where the call was
// told to put them, which must hold still until then.
struct Subtask {
  guest_subtask_status_t status;
  std::uint32_t code = 0;

  bool await_ready() const { return GUEST_SUBTASK_STATE(status) == GUEST_SUBTASK_RETURNED; }
  void await_suspend(std::coroutine_handle<> who) {
    detail::Call::current().wait(GUEST_SUBTASK_HANDLE(status), who, &code);
  }
  void await_resume() const {
    if (auto handle = GUEST_SUBTASK_HANDLE(status)) guest_subtask_drop(handle);
  }
};

namespace detail {

// How many coroutines when_all still waits for, and itself among them.
class Join {
 public:
  explicit Join(std::size_t count) : left_(count + 1) {}
  void arrive() {
    if (--left_ == 0) waiter_.resume();
  }

  bool await_ready() { return left_ == 1; }
  bool await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    return --left_ != 0;
  }
  void await_resume() {}

 private:
  std::size_t left_;
  std::coroutine_handle<> waiter_;
};

// `into` and `join` may be gone when the last of them has arrived.
template <class T, class Slot>
Task<> run_into(Task<T> task, Slot& into, Join& join) {
  if constexpr (std::is_void_v<T>) {
    co_await task;
  } else {
    into.emplace(co_await task);
  }
  join.arrive();
}

template <class T>
using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T>
Value<T> take_slot(std::optional<Value<T>>& slot) {
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return std::move(*slot);
  }
}

}  // namespace detail

// Runs all of them beside each other, and gives their results when the last has ended:
// `auto [page, price] = co_await when_all(load(a), load(b))`. A Task<> gives std::monostate.
template <class... T>
Task<std::tuple<detail::Value<T>...>> when_all(Task<T>... tasks) {
  std::tuple<std::optional<detail::Value<T>>...> slots;
  detail::Join join(sizeof...(T));
  std::apply([&](auto&... slot) { (detail::run_into(std::move(tasks), slot, join).detach(), ...); },
             slots);
  co_await join;
  co_return std::apply(
      [](auto&... slot) { return std::tuple<detail::Value<T>...>(detail::take_slot<T>(slot)...); },
      slots);
}

// The same for any number of one kind.
template <class T>
Task<std::vector<detail::Value<T>>> when_all(std::vector<Task<T>> tasks) {
  std::vector<std::optional<detail::Value<T>>> slots(tasks.size());
  detail::Join join(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    detail::run_into(std::move(tasks[i]), slots[i], join).detach();
  }
  co_await join;
  std::vector<detail::Value<T>> results;
  for (auto& slot : slots) results.push_back(detail::take_slot<T>(slot));
  co_return results;
}

namespace detail {

inline guest_callback_code_t turn_over(Call* call) {
  if (!call->done()) return call->wait_code();
  delete call;
  return GUEST_CALLBACK_CODE_EXIT;
}

}  // namespace detail

// What an exported async function returns: starts `make()`, a Task<>, as a call of its own.
template <class Make>
guest_callback_code_t run_export(Make make) {
  auto* call = new detail::Call;
  guest_context_set_0(call);
  call->make_current();
  make().detach();
  return detail::turn_over(call);
}

// What an exported function's callback returns.
inline guest_callback_code_t continue_export(const guest_event_t* event) {
  auto* call = static_cast<detail::Call*>(guest_context_get_0());
  call->make_current();
  bool still_running = event->event == GUEST_EVENT_SUBTASK &&
                       GUEST_SUBTASK_STATE(event->code) != GUEST_SUBTASK_RETURNED;
  if (!still_running) call->wake(event->waitable, event->code);
  return detail::turn_over(call);
}

}  // namespace weft
