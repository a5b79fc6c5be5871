#include "remote/http/signal.h"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <utility>

#include "base/check.h"
#include "io/loop.h"
#include "io/timer.h"

namespace weft::remote {

namespace asio = boost::asio;

void Signal::raise() {
  raised_ = true;
  if (auto waiter = std::exchange(waiter_, nullptr)) waiter();
}

Task<void> Signal::wait(Deadline deadline) {
  if (std::exchange(raised_, false)) co_return Result<void>();
  CHECK(!waiter_);
  // What the handlers that may resume the task have in common: the first does, and is the last.
  using Resume = std::move_only_function<void()>;
  struct Why {
    bool late = false;
    bool stopped = false;
  };
  // Shared with the slot, which may be asked after the task has gone on.
  auto why = std::make_shared<Why>();
  // The task is in it: owned by an operation of the loop's and by nobody else, so that a loop that
  // ends while the task waits takes it along.
  auto owned = std::make_shared<Resume>();
  asio::steady_timer owner(loop_.executor(), asio::steady_timer::time_point::max());
  auto go = [known = std::weak_ptr(owned), &loop = loop_] {
    auto held = known.lock();
    if (held == nullptr) return;
    if (auto resume = std::exchange(*held, nullptr)) loop.defer(std::move(resume));
  };
  Timer timer(loop_, [why, go] {
    why->late = true;
    go();
  });
  if (!deadline.is_never()) timer.arm(deadline);
  auto start = [&](auto handler) {
    asio::cancellation_slot stop = asio::get_associated_cancellation_slot(handler);
    if (stop.is_connected()) {
      stop.assign([why, go](asio::cancellation_type) {
        why->stopped = true;
        go();
      });
    }
    *owned = [handler = std::move(handler)]() mutable { std::move(handler)(); };
    waiter_ = go;
    owner.async_wait([owned = std::move(owned)](const boost::system::error_code&) {});
  };
  // Whoever destroys the task while it waits leaves nothing behind.
  struct Left {
    Signal& signal;
    ~Left() { signal.waiter_ = nullptr; }
  } left{*this};
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(start, asio::use_awaitable);
  if (why->stopped) co_return failure(Errc::kCancelled, "the task that waited was stopped");
  if (std::exchange(raised_, false)) co_return Result<void>();
  if (why->late) co_return failure(Errc::kTimeout, "nothing came before the deadline");
  co_return Result<void>();
}

Task<void> pause(Loop& loop, Deadline until) {
  Signal never(loop);
  Result<void> waited = co_await never.wait(until);
  if (!waited && waited.error().code() == Errc::kTimeout) co_return Result<void>();
  co_return waited;
}

}  // namespace weft::remote
