#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/bytes.h"
#include "door/codec.h"
#include "engine/deployment.h"

namespace weft {

// One run of a guest that is not an HTTP request: a command, or a call of an export. In a fresh
// instance on the deployment's loop; dropping it stops the guest at once.
class GuestRun {
 public:
  // Called once, on the loop, never from inside the start. The run may be dropped in it.
  using Done = std::move_only_function<void(RunOutcome outcome, BytesView reply)>;

  static std::unique_ptr<GuestRun> command(Deployment& deployment, Done done);
  // `function` is the export's number in ProgramInfo; `arguments` are its parameters, encoded.
  static std::unique_ptr<GuestRun> call(Deployment& deployment, std::uint32_t function,
                                        BytesView arguments, Done done);

  // The same for arguments and replies with handles, streams or futures in them: `arguments` writes
  // the parameters, `replied` reads the results once the guest has returned, before `done` and
  // never from inside the start; it may not drop the run. The run goes on until the streams that
  // the guest gave are done.
  struct Exchange {
    std::move_only_function<void(Writer& out)> arguments;
    std::move_only_function<void(Reader& in)> replied;
    // How long it may take, where the deployment's own limit is not shorter; 0: that holds alone.
    std::chrono::milliseconds time{0};
  };
  static std::unique_ptr<GuestRun> call_with(Deployment& deployment, std::uint32_t function,
                                             Exchange exchange, Done done);

  virtual ~GuestRun() = default;
};

}  // namespace weft
