#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "app/plan.h"
#include "base/signal.h"
#include "engine/guest_run.h"
#include "io/http_client/options.h"
#include "io/loop.h"

namespace weft {

// How one run of a guest ended: by itself, or because a signal stopped it.
struct OneRun {
  std::optional<RunOutcome> outcome = {};  // Absent: the signal did.
  Bytes reply = {};
  int signal = 0;

  // The exit code, when it ended well or by a signal.
  Result<int> exit_code() const;
};

// Runs a guest on the first of the loops until it ends or a signal comes, and stops the loops.
// `start` begins the run, on the loop's thread, with the deployment of `which`, one of the plans.
using StartRun =
    std::function<std::unique_ptr<GuestRun>(Deployment& deployment, GuestRun::Done done)>;
OneRun run_once(Runtime& runtime, const std::vector<std::unique_ptr<Plan>>& plans,
                const Plan& which, const HttpClientOptions& http_client, Loops& loops,
                StopSignals& signals, const StartRun& start);

}  // namespace weft
