// weft:lock: one holder of a name at a time, among all hosts that share the operator's choice.
//
// A name is one of `uses.lock` in weft.toml, or that with `/` and anything behind it. A Guard holds
// its lock until its time to live has passed or it goes; what is written meanwhile is safe only at
// a store that is given the guard's token too and refuses a smaller one than it has seen.
//
//   auto guard = co_await lock::acquire("orders/12", 10s, 2s);   // without co_await in WASI 0.2
//   if (!guard) co_return co_await reply(503, guard.error().message + "\n");
//   save(order, guard->token());
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "weft/result.h"
#ifdef GUEST_SUBTASK_STATE
#include "weft/async.h"
#endif

#ifndef WEFT_LOCK_LOCKS_ERROR_DENIED
#error "the world imports neither weft:lock/locks@0.1.0 nor async-locks"
#endif

namespace weft::lock {

namespace detail {

inline std::unexpected<Error> taken(weft_lock_locks_error_t& error) {
  switch (error.tag) {
    case WEFT_LOCK_LOCKS_ERROR_DENIED:
      return failure(Code::kDenied, "the lock is not granted: name its first part in uses.lock");
    case WEFT_LOCK_LOCKS_ERROR_TIMEOUT:
      return failure(Code::kTimeout, "somebody else held the lock all the time");
    case WEFT_LOCK_LOCKS_ERROR_LOST:
      return failure(Code::kNotFound, "the lock is not held any more");
    default: break;
  }
  Code code = Code::kOther;
  if (error.tag == WEFT_LOCK_LOCKS_ERROR_INVALID) code = Code::kInvalid;
  if (error.tag == WEFT_LOCK_LOCKS_ERROR_BUSY) code = Code::kTooLong;
  if (error.tag == WEFT_LOCK_LOCKS_ERROR_UNAVAILABLE) code = Code::kUnreachable;
  std::string message(weft::detail::view(error.val.other));
  weft_lock_locks_error_free(&error);
  return failure(code, std::move(message));
}

inline std::uint64_t count(std::chrono::nanoseconds time) {
  return time.count() < 0 ? 0 : static_cast<std::uint64_t>(time.count());
}

}  // namespace detail

#ifdef GUEST_SUBTASK_STATE
#define WEFT_LOCK(name) weft_lock_async_locks_##name
#else
#define WEFT_LOCK(name) weft_lock_locks_##name
#endif

// A lock that is held. Its end releases it.
class Guard {
 public:
  using Handle = WEFT_LOCK(own_guard_t);

  explicit Guard(Handle handle) : handle_(handle) {}
  Guard(Guard&& other) noexcept : handle_(std::exchange(other.handle_, {0})) {}
  Guard& operator=(Guard&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Guard() {
    if (handle_.__handle != 0) WEFT_LOCK(guard_drop_own)(handle_);
  }

  // Larger than that of every guard of this lock before.
  std::uint64_t token() const { return WEFT_LOCK(method_guard_token)(self()); }
  // How long it is surely held yet.
  std::chrono::nanoseconds remaining() const {
    return std::chrono::nanoseconds(WEFT_LOCK(method_guard_remaining)(self()));
  }
  bool is_held() const { return WEFT_LOCK(method_guard_is_held)(self()); }

#ifdef GUEST_SUBTASK_STATE
  // Has the time to live begin anew. The guard stays where it is until that is done.
  Task<Result<>> renew(std::chrono::nanoseconds ttl) {
    weft_lock_async_locks_result_void_error_t result;
    co_await Subtask{weft_lock_async_locks_method_guard_renew(self(), detail::count(ttl), &result)};
    if (result.is_err) co_return detail::taken(result.val.err);
    co_return Result<>();
  }
  Task<Result<>> release() {
    weft_lock_async_locks_result_void_error_t result;
    co_await Subtask{weft_lock_async_locks_method_guard_release(self(), &result)};
    if (result.is_err) co_return detail::taken(result.val.err);
    co_return Result<>();
  }
  // Until it is not held any more.
  Task<> lost() { co_await Subtask{weft_lock_async_locks_method_guard_lost(self())}; }
#else
  Result<> renew(std::chrono::nanoseconds ttl) {
    weft_lock_locks_error_t error;
    if (weft_lock_locks_method_guard_renew(self(), detail::count(ttl), &error)) return {};
    return detail::taken(error);
  }
  Result<> release() {
    weft_lock_locks_error_t error;
    if (weft_lock_locks_method_guard_release(self(), &error)) return {};
    return detail::taken(error);
  }
#endif

 private:
  WEFT_LOCK(borrow_guard_t) self() const { return WEFT_LOCK(borrow_guard)(handle_); }

  Handle handle_;
};

#undef WEFT_LOCK

#ifdef GUEST_SUBTASK_STATE
// Waits for the lock, `wait` at most; it is held for `ttl` unless it is renewed.
inline Task<Result<Guard>> acquire(std::string name, std::chrono::nanoseconds ttl,
                                   std::chrono::nanoseconds wait) {
  weft_lock_async_locks_result_own_guard_error_t result;
  co_await Subtask{weft_lock_async_locks_acquire(weft::detail::lend(name), detail::count(ttl),
                                                 detail::count(wait), &result)};
  if (result.is_err) co_return detail::taken(result.val.err);
  co_return Guard(result.val.ok);
}

// Nothing where somebody holds it, or waits for it.
inline Task<Result<std::optional<Guard>>> try_acquire(std::string name,
                                                      std::chrono::nanoseconds ttl) {
  weft_lock_async_locks_result_option_own_guard_error_t result;
  co_await Subtask{
      weft_lock_async_locks_try_acquire(weft::detail::lend(name), detail::count(ttl), &result)};
  if (result.is_err) co_return detail::taken(result.val.err);
  if (!result.val.ok.is_some) co_return std::optional<Guard>();
  co_return std::optional<Guard>(Guard(result.val.ok.val));
}
#else
// Waits for the lock, `wait` at most; it is held for `ttl` unless it is renewed.
inline Result<Guard> acquire(std::string_view name, std::chrono::nanoseconds ttl,
                             std::chrono::nanoseconds wait) {
  auto text = weft::detail::lend(name);
  weft_lock_locks_own_guard_t guard;
  weft_lock_locks_error_t error;
  if (weft_lock_locks_acquire(&text, detail::count(ttl), detail::count(wait), &guard, &error)) {
    return Guard(guard);
  }
  return detail::taken(error);
}

// Nothing where somebody holds it, or waits for it.
inline Result<std::optional<Guard>> try_acquire(std::string_view name,
                                                std::chrono::nanoseconds ttl) {
  auto text = weft::detail::lend(name);
  weft_lock_locks_option_own_guard_t guard;
  weft_lock_locks_error_t error;
  if (!weft_lock_locks_try_acquire(&text, detail::count(ttl), &guard, &error)) {
    return detail::taken(error);
  }
  if (!guard.is_some) return std::optional<Guard>();
  return std::optional<Guard>(Guard(guard.val));
}
#endif

}  // namespace weft::lock
