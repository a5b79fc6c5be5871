#include "capabilities/cron/run_now.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "capabilities/answer_tasks.h"
#include "door/values.h"
#include "io/loop.h"
#include "remote/called_back.h"
#include "wit/weft/cron_0_1_0/types.h"

namespace weft::cron {
namespace {

namespace wit = ::weft::wit::weft::cron_0_1_0;

using lock::Hold;

// One run. What is under way has it weakly, and asks after each wait whether it is still there.
struct Run : std::enable_shared_from_this<Run> {
  Run(const Waking& waking, TriggerOptions given, Keeping kept, OperatorEvents whom)
      : loop(waking.loop),
        key(fmt::format("{}/{}", waking.component, given.text)),
        calls(waking.calls),
        options(std::move(given)),
        keeping(std::move(kept)),
        events(std::move(whom)),
        renew(loop, [this] { renew_lock(); }) {}

  using Weak = std::weak_ptr<Run>;
  static Task<std::string> run(Weak weak);
  static Task<void> acquire(Weak weak);
  void renew_lock();

  Loop& loop;
  const std::string key;
  HandlerCalls& calls;
  const TriggerOptions options;
  const Keeping keeping;
  const OperatorEvents events;
  std::unique_ptr<Hold> hold;
  Timer renew;
};

Error gone() {
  return {Errc::kCancelled, "nobody waits for it any more"};
}

void Run::renew_lock() {
  if (hold == nullptr) return;
  renew.arm(Deadline::after(kRunTtl / 3));
  auto answer = hold->renew(Deadline::after(kRunTtl / 3), kRunTtl).settle([](const Result<bool>&) {
    return Nothing();
  });
}

// Asks again until nobody else has it.
Task<void> Run::acquire(Weak weak) {
  Deadline patience = Deadline::after(kRunNowWait);
  for (;;) {
    auto self = weak.lock();
    if (self == nullptr) co_return std::unexpected(gone());
    auto asked = lock::try_acquire(self->keeping.locks, {self->keeping.scope, self->key}, kRunTtl,
                                   Deadline::after(kAskMax));
    self = nullptr;
    CO_TRY(std::unique_ptr<Hold> held, co_await settled(std::move(asked)));
    self = weak.lock();
    if (self == nullptr) co_return std::unexpected(gone());
    if (held != nullptr) {
      self->hold = std::move(held);
      self->renew.arm(Deadline::after(kRunTtl / 3));
      co_return Result<void>();
    }
    if (patience.passed()) {
      co_return failure(Errc::kConflict,
                        fmt::format("its lock is held for {} s already: a run of it goes on, here "
                                    "or on another host",
                                    kRunNowWait.count()));
    }
    boost::asio::steady_timer timer(self->loop.context(), kRunNowPause);
    self = nullptr;
    co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  }
}

Task<std::string> Run::run(Weak weak) {
  CO_TRY_VOID(co_await acquire(weak));
  auto self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  std::uint64_t token = self->hold->token();
  auto seconds = static_cast<std::uint64_t>(self->options.now().time_since_epoch().count());
  wit::types::Occurrence occurrence{self->options.text, seconds, token};
  auto returned = std::make_shared<std::expected<void, std::string>>();
  HandlerCalls& calls = self->calls;
  self = nullptr;
  auto began = Deadline::Clock::now();
  auto outcome = co_await remote::called_back<void>([&](auto done) {
    calls.call(
        0, [occurrence](Writer& out) { out.write(occurrence); },
        [returned](Reader& in) { *returned = in.read<std::expected<void, std::string>>(); },
        std::move(done));
  });
  if (!outcome) co_return std::unexpected(std::move(outcome).error().within("the run failed"));
  if (!*returned) co_return failure(Errc::kTrap, "the run failed: " + returned->error());
  auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - began);
  co_return fmt::format("{{\"token\":{},\"ms\":{}}}", token, took.count());
}

class RunNow final : public OperatorWork {
 public:
  explicit RunNow(std::shared_ptr<Run> run) : run_(std::move(run)) {
    run_->loop.post([weak = std::weak_ptr(run_)] {
      auto run = weak.lock();
      if (run == nullptr) return;
      run->loop.spawn(begin(weak));
    });
  }
  ~RunNow() override {
    run_->hold = nullptr;
    run_->keeping.locks->close();
  }

 private:
  static Task<void> begin(Run::Weak weak) {
    Result<std::string> outcome = co_await Run::run(weak);
    auto run = weak.lock();
    if (run == nullptr) co_return Result<void>();
    Loop::Turn open(run->loop);
    run->hold = nullptr;
    run->events.ended(std::move(outcome));
    co_return Result<void>();
  }

  const std::shared_ptr<Run> run_;  // Weakly with what is under way.
};

}  // namespace

std::unique_ptr<OperatorWork> run_now(const Waking& waking, TriggerOptions options, Keeping keeping,
                                      OperatorEvents events) {
  return std::make_unique<RunNow>(
      std::make_shared<Run>(waking, std::move(options), std::move(keeping), std::move(events)));
}

}  // namespace weft::cron
