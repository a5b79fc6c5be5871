#include "capabilities/cron/run_now.h"

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "base/log.h"
#include "capabilities/cron/occurrence.h"
#include "io/loop.h"

namespace weft::cron {
namespace {

using lock::Hold;

// One run. What is under way has it weakly, and asks after each wait whether it is still there.
struct Run : std::enable_shared_from_this<Run> {
  Run(const Waking& waking, TriggerOptions given, Keeping kept, OperatorEvents whom)
      : loop(waking.loop),
        key(fmt::format("{}/{}", waking.component, given.text)),
        calls(waking.calls),
        runs(waking.meter),
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
  const RunCount runs;
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
  auto answer = hold->renew(Deadline::after(kRunTtl / 3), kRunTtl)
                    .settle([weak = weak_from_this()](const Result<bool>& renewed) {
                      auto self = weak.lock();
                      if (self != nullptr && renewed && !*renewed) {
                        log::warn("cron", "a run by hand goes on without its lock",
                                  {{"schedule", self->key}, {"why", "it was lost"}});
                      }
                      return Nothing();
                    });
}

Task<void> Run::acquire(Weak weak) {
  auto self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  Deadline patience = Deadline::after(kRunNowWait);
  lock::Soon<std::unique_ptr<Hold>> asked = lock::acquire(
      self->keeping.locks, {{self->keeping.scope, self->key}, kRunTtl, kRunNowWait}, patience);
  self = nullptr;
  auto* waits = std::get_if<1>(&asked);
  auto held = waits == nullptr ? std::get<0>(std::move(asked)) : co_await std::move(*waits);
  if (!held && held.error().code() == Errc::kTimeout && patience.passed()) {
    co_return failure(Errc::kConflict,
                      fmt::format("its lock is held for {} s already: a run of it goes on, here "
                                  "or on another host",
                                  kRunNowWait.count()));
  }
  if (!held) co_return std::unexpected(std::move(held).error());
  self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  self->hold = *std::move(held);
  self->renew.arm(Deadline::after(kRunTtl / 3));
  co_return Result<void>();
}

Task<std::string> Run::run(Weak weak) {
  CO_TRY_VOID(co_await acquire(weak));
  auto self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  std::uint64_t token = self->hold->token();
  Task<void> call = call_handler(self->calls, self->runs,
                                 {self->options.text, seconds_of(self->options.now()), token});
  self = nullptr;
  auto began = Deadline::Clock::now();
  Result<void> outcome = co_await std::move(call);
  if (!outcome) co_return std::unexpected(std::move(outcome).error().within("the run failed"));
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
  std::string waits_for() const override {
    if (run_->hold != nullptr) return {};
    return "the lock of its schedule, which a run of it has, here or on another host";
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
