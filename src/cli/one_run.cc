#include "cli/one_run.h"

#include <mutex>
#include <utility>

namespace weft {

Result<int> OneRun::exit_code() const {
  if (!outcome) return 128 + signal;
  if (outcome->well()) return outcome->exit_code;
  return failure(Errc::kTrap, outcome->message);
}

OneRun run_once(Runtime& runtime, const std::vector<std::unique_ptr<Plan>>& plans,
                const Plan& which, const HttpClientOptions& http_client, Loops& loops,
                StopSignals& signals, const StartRun& start) {
  std::mutex mutex;
  OneRun run;
  std::unique_ptr<EngineLoop> engine;
  std::unique_ptr<Deployments> deployments;
  std::unique_ptr<GuestRun> guest;
  signals.hold();
  loops.on_each([&](Loop& loop, std::size_t index) {
    if (index != 0) return;
    engine = std::make_unique<EngineLoop>(runtime, loop, http_client);
    deployments = std::make_unique<Deployments>(plans, *engine);
    guest = start(deployments->of(which), [&](RunOutcome ended, BytesView reply) {
      std::lock_guard lock(mutex);
      run.outcome = std::move(ended);
      run.reply.assign(reply.begin(), reply.end());
      signals.interrupt();
    });
  });
  std::optional<int> signal = signals.wait();
  loops.on_each([&](Loop&, std::size_t index) {
    if (index != 0) return;
    guest.reset();
    deployments.reset();
    engine.reset();
  });
  loops.stop();
  std::lock_guard lock(mutex);
  run.signal = signal.value_or(0);
  return run;
}

}  // namespace weft
