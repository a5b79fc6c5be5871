#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/deadline.h"
#include "base/error.h"

namespace weft {

class Loop;
namespace remote {
class Health;
}

// What is behind a driver, once for the process, whatever the capability.
class DriverBackend {
 public:
  using Reached = std::move_only_function<void(Result<void>)>;

  virtual ~DriverBackend() = default;

  // Opens it, once or often; on the thread that loads components, before anything is served, so it
  // may block on the disk. A server that cannot be reached keeps nothing from starting: guests ask
  // again.
  virtual Result<void> open() = 0;
  // Asks its server once: is it there, does it let us in, has it what the settings name? The error
  // says which of these it is. On a loop; does not block, is done by the deadline, and leaves
  // nothing on the loop then. What has no server has nobody to ask.
  virtual void reach(Loop& /*loop*/, Deadline /*deadline*/, Reached done) { done({}); }
  // What its clients have seen of the server; null where there is none. From any thread.
  virtual std::shared_ptr<const remote::Health> health() const { return nullptr; }
};

// How long `reach_now` waits.
inline constexpr std::chrono::seconds kReachMax{5};

// Opens the backend and has it ask its server. Runs the loop, which nobody else runs, which
// outlives the backend, until that is done.
Result<void> reach_now(Loop& loop, DriverBackend& backend);

}  // namespace weft
