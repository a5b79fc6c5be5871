#pragma once

// Two ways for a coroutine of the loop to wait.

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "door/stream.h"
#include "io/loop.h"
#include "io/pool.h"

namespace example {

// Something that happens once, and any number of coroutines that wait for it. On the loop only.
class Notice {
 public:
  // kTimeout after the deadline, kCancelled when the call is given up.
  weft::Task<void> wait(weft::Loop& loop, weft::Deadline deadline) {
    if (told_) co_return weft::Result<void>();
    auto [reader, writer] = weft::Future<>::make(loop);
    waiting_.push_back(std::move(writer));
    CO_TRY_VOID(co_await reader.get(deadline));
    co_return weft::Result<void>();
  }
  void tell() {
    told_ = true;
    // Who waits no more is told in vain.
    for (auto& each : std::exchange(waiting_, {})) static_cast<void>(each.set({}));
  }
  bool told() const { return told_; }

 private:
  std::vector<weft::FutureWriter<>> waiting_;
  bool told_ = false;
};

// What `work` returns, on a thread of the pool. It goes on when the call is given up, so it owns
// what it uses.
template <class Work>
weft::Task<std::invoke_result_t<Work&>> in_pool(weft::Pool& pool, weft::Loop& loop, Work work,
                                                weft::Deadline deadline) {
  struct Shared {
    std::optional<std::invoke_result_t<Work&>> value;
    Notice over;
  };
  // Shared by the thread, which fills it, and the coroutine, which may be gone by then.
  auto shared = std::make_shared<Shared>();
  CO_TRY_VOID(pool.submit(
      loop, [shared, work = std::move(work)]() mutable { shared->value.emplace(work()); },
      [shared] { shared->over.tell(); }));
  CO_TRY_VOID(co_await shared->over.wait(loop, deadline));
  co_return std::move(*shared->value);
}

}  // namespace example
