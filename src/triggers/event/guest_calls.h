#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "capabilities/waking.h"
#include "engine/deployment.h"
#include "engine/guest_run.h"

namespace weft {

// Calls of a deployed component's exports, for what wakes it. On the deployment's loop, which
// outlives it.
class GuestCalls final : public HandlerCalls {
 public:
  // `functions`: the numbers of the handler's functions among the program's exports. `deadline`: of
  // each call, where the deployment's own limit is not shorter; 0: there is none but that.
  GuestCalls(Deployment& deployment, std::vector<std::uint32_t> functions,
             std::chrono::milliseconds deadline);
  GuestCalls(const GuestCalls&) = delete;

  void call(std::size_t ordinal, Arguments arguments, Replied replied, Ended ended) override;

 private:
  void end(std::uint64_t number, RunOutcome outcome);

  struct Running {
    std::unique_ptr<GuestRun> run;
    Ended ended;
  };

  Deployment& deployment_;
  const std::vector<std::uint32_t> functions_;
  const std::chrono::milliseconds deadline_;
  std::uint64_t begun_ = 0;
  // As many as the component may have instances.
  std::map<std::uint64_t, Running> running_;
};

}  // namespace weft
