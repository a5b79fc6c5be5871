#pragma once

#include "base/error.h"
#include "base/signal.h"
#include "cli/run_options.h"

namespace weft {

class Host;

// Who changes what is served while it is.
class Attendant {
 public:
  virtual ~Attendant() = default;
  // The host serves from now on. On the thread of `run`, as everything here.
  virtual void begin(Host& host) = 0;
  // Somebody interrupted the wait for signals: that may be this one's doing.
  virtual void interrupted(Host& host) = 0;
  // The host is about to stop.
  virtual void end() = 0;
};

// Runs one file until it ends, or until a signal when it serves. The exit code: a command's own, 0
// after serving. `attendant` may be null.
Result<int> run(RunOptions options, StopSignals& signals, Attendant* attendant = nullptr);

}  // namespace weft
