#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "capabilities/waking.h"
#include "engine/deployment.h"
#include "engine/guest_run.h"
#include "engine/kept_guest.h"
#include "io/timer.h"
#include "triggers/event/call_settings.h"

namespace weft {

// Calls of a deployed component's exports, for what wakes it. On the deployment's loop, which
// outlives it.
//
// Reused instances wait for the next call for as long as `Limits::reuse_idle`, and no more of them
// than calls were made at once. They count as instances of the component meanwhile, and none waits
// where the component has as many as it may: others wake it too.
class GuestCalls final : public HandlerCalls {
 public:
  // `functions`: the numbers of the handler's functions among the program's exports.
  GuestCalls(Deployment& deployment, std::vector<std::uint32_t> functions, CallSettings settings);
  GuestCalls(const GuestCalls&) = delete;

  void call(std::size_t ordinal, Arguments arguments, Replied replied, Ended ended) override;

 private:
  struct Running {
    Ended ended;
    // One of the two.
    std::unique_ptr<GuestRun> run = nullptr;
    std::unique_ptr<KeptGuest> kept = nullptr;
  };
  struct Idle {
    std::unique_ptr<KeptGuest> guest;
    Deadline until;
  };

  std::unique_ptr<KeptGuest> idle_or_new();
  void end(std::uint64_t number, RunOutcome outcome);
  void let_go();

  Deployment& deployment_;
  const std::vector<std::uint32_t> functions_;
  const CallSettings settings_;
  std::uint64_t begun_ = 0;
  // As many as the component may have instances.
  std::map<std::uint64_t, Running> running_;
  // The one that was called last is at the end, and called next.
  std::vector<Idle> idle_;
  Timer tired_;
};

}  // namespace weft
