#pragma once

#include <cstddef>
#include <string>

#include "base/id.h"
#include "door/links.h"
#include "engine/engine_loop.h"
#include "engine/guest_log.h"
#include "engine/runtime.h"
#include "observe/loop_observer.h"

namespace weft {

// Says no more than once a second, however often it is asked.
class OnceASecond {
 public:
  bool passes(Deadline::Clock::time_point now) {
    if (now < next_) return false;
    next_ = now + std::chrono::seconds(1);
    return true;
  }

 private:
  Deadline::Clock::time_point next_;
};

// A component ready to run on one loop: its program, what serves its imports there, its limits.
//
// Owned by whoever deploys it; outlives every run of it. Used on its loop only.
struct Deployment {
  Deployment(EngineLoop& engine_loop, const LinkedProgram& linked, std::size_t functions)
      : engine(engine_loop), program(linked), links(functions), printed(*this) {}

  EngineLoop& engine;
  const LinkedProgram& program;
  std::string app;
  std::string component;
  Limits limits;
  Links links;
  IdGenerator request_ids;
  // Contexts of its instances, those included whose instance has ended while calls that it
  // cancelled still unwind: the deployment outlives them too.
  std::size_t contexts = 0;
  OnceASecond no_room_told;
  GuestLog printed;
  // Both or neither: where somebody watches.
  LoopObserver* observer = nullptr;
  ComponentMeter* meter = nullptr;
};

// How a run of a guest ended.
struct RunOutcome {
  enum class Ending : std::uint8_t {
    kDone,
    kExited,   // A command left with exit_code.
    kTrapped,  // `message` is the report: component, function, frames.
    kLimited,  // A limit of its own ended it; `message` names it.
    kNoRoom,   // As many instances live as the process may have.
    kFailed,   // It could not be started, or the bridge failed; `message` says why.
  };
  Ending ending = Ending::kDone;
  int exit_code = 0;
  std::string message;
  LimitKind limit = LimitKind::kCpu;  // Which one, where it is kLimited.

  bool well() const { return ending == Ending::kDone || ending == Ending::kExited; }
};

}  // namespace weft
