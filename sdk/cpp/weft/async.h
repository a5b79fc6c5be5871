// Coroutines for components of WASI 0.3, over the async part of the component model.
//
// Over the C bindings of a world `guest`. An exported async function starts a coroutine with
// run_export; the coroutine waits with co_await on Io (a read or write of a stream or future) and
// Subtask (an async import). One component instance may run many such calls at once, on one thread.
#pragma once

#include <coroutine>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

#include "guest.h"

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
    waiting_.emplace(waitable, Waiter{who, code});
  }
  void wake(std::uint32_t waitable, std::uint32_t code) {
    auto node = waiting_.extract(waitable);
    if (node.empty()) return;
    guest_waitable_join(waitable, 0);
    *node.mapped().code = code;
    node.mapped().who.resume();
  }

  void started() { ++running_; }
  void ended() { --running_; }
  bool done() const { return running_ == 0; }
  guest_callback_code_t wait_code() const { return GUEST_CALLBACK_CODE_WAIT(set_); }

 private:
  struct Waiter {
    std::coroutine_handle<> who;
    std::uint32_t* code;
  };
  static inline Call* current_ = nullptr;
  guest_waitable_set_t set_;
  std::map<std::uint32_t, Waiter> waiting_;
  unsigned running_ = 0;
};

template <class T>
struct Outcome {
  std::optional<T> value;
  void return_value(T result) { value = std::move(result); }
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
