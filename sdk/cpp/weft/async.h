// Coroutines for components of WASI 0.3, over the async part of the component model.
//
// An exported async function starts a coroutine with run_export; the coroutine waits with co_await
// on Io (a read or write of a stream or future) and Subtask (an async import). One component
// instance may run many such calls at once, on one thread. when_all runs several coroutines beside
// each other and waits for all of them.
#pragma once

#include <coroutine>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace weft {

template <class T>
class Task;

namespace detail {

// The component model's own functions.
#define WEFT_ROOT(name) __attribute__((import_module("$root"), import_name(name)))
extern "C" {
WEFT_ROOT("[subtask-drop]") void weft_subtask_drop(std::uint32_t subtask);
WEFT_ROOT("[waitable-set-new]") std::uint32_t weft_waitable_set_new();
WEFT_ROOT("[waitable-set-drop]") void weft_waitable_set_drop(std::uint32_t set);
WEFT_ROOT("[waitable-join]") void weft_waitable_join(std::uint32_t waitable, std::uint32_t set);
WEFT_ROOT("[context-get-0]") void* weft_context_get();
WEFT_ROOT("[context-set-0]") void weft_context_set(void* value);
}
#undef WEFT_ROOT

// What its callback tells the host: that the call is over, or which set it waits for.
inline constexpr std::uint32_t kExit = 0;
inline constexpr std::uint32_t kWait = 2;
inline constexpr std::uint32_t kSubtaskEvent = 1;
inline constexpr std::uint32_t kSubtaskReturned = 2;
inline constexpr std::uint32_t kBlocked = ~std::uint32_t{0};

// A status has what came of it in its low bits, and a number above.
constexpr std::uint32_t state_of(std::uint32_t status) {
  return status & 0xf;
}
constexpr std::uint32_t number_of(std::uint32_t status) {
  return status >> 4;
}

// What one exported call waits for. Made when the call starts, destroyed when its last coroutine is
// done; the engine hands it back at each event.
class Call {
 public:
  Call() : set_(weft_waitable_set_new()) {}
  Call(const Call&) = delete;
  ~Call() { weft_waitable_set_drop(set_); }

  static Call& current() { return *current_; }
  void make_current() { current_ = this; }

  // `who` runs again when `waitable` has news, which is then in `code`.
  void wait(std::uint32_t waitable, std::coroutine_handle<> who, std::uint32_t* code) {
    weft_waitable_join(waitable, set_);
    waiting_.push_back({waitable, who, code});
  }
  void wake(std::uint32_t waitable, std::uint32_t code) {
    for (Waiter& each : waiting_) {
      if (each.waitable != waitable) continue;
      Waiter found = each;
      each = waiting_.back();
      waiting_.pop_back();
      weft_waitable_join(waitable, 0);
      *found.code = code;
      found.who.resume();
      return;
    }
  }

  void started() { ++running_; }
  void ended() { --running_; }
  bool done() const { return running_ == 0; }
  std::uint32_t wait_code() const { return kWait | set_ << 4; }

 private:
  struct Waiter {
    std::uint32_t waitable;
    std::coroutine_handle<> who;
    std::uint32_t* code;
  };
  static inline Call* current_ = nullptr;
  std::uint32_t set_;
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

  // Runs it here as far as it goes: what ends without waiting leaves nothing on the stack, however
  // often a loop awaits such. WebAssembly has no symmetric transfer that would do the same.
  bool await_ready() {
    self_.resume();
    return self_.done();
  }
  void await_suspend(std::coroutine_handle<> next) { self_.promise().next = next; }
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
  std::uint32_t status;

  bool await_ready() const { return status != detail::kBlocked; }
  void await_suspend(std::coroutine_handle<> who) {
    detail::Call::current().wait(waitable, who, &status);
  }
  std::uint32_t await_resume() const { return status; }
};

// Waits for an async import: `co_await Subtask{started_call}`. Its results are where the call was
// told to put them, which must hold still until then.
struct Subtask {
  std::uint32_t status;
  std::uint32_t code = 0;

  bool await_ready() const { return detail::state_of(status) == detail::kSubtaskReturned; }
  void await_suspend(std::coroutine_handle<> who) {
    detail::Call::current().wait(detail::number_of(status), who, &code);
  }
  void await_resume() const {
    if (auto subtask = detail::number_of(status)) detail::weft_subtask_drop(subtask);
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

inline std::uint32_t turn_over(Call* call) {
  if (!call->done()) return call->wait_code();
  delete call;
  return kExit;
}

}  // namespace detail

// What an exported async function returns: starts `make()`, a Task<>, as a call of its own.
template <class Make>
std::uint32_t run_export(Make make) {
  auto* call = new detail::Call;
  detail::weft_context_set(call);
  call->make_current();
  make().detach();
  return detail::turn_over(call);
}

// What an exported function's callback returns.
inline std::uint32_t continue_export(std::uint32_t event, std::uint32_t waitable,
                                     std::uint32_t code) {
  auto* call = static_cast<detail::Call*>(detail::weft_context_get());
  call->make_current();
  bool still_running =
      event == detail::kSubtaskEvent && detail::state_of(code) != detail::kSubtaskReturned;
  if (!still_running) call->wake(waitable, code);
  return detail::turn_over(call);
}
// The same with an event of the C bindings.
template <class Event>
std::uint32_t continue_export(const Event* event) {
  return continue_export(static_cast<std::uint32_t>(event->event), event->waitable, event->code);
}

}  // namespace weft
