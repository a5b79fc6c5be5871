#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/bytes.h"
#include "door/codec.h"
#include "engine/deployment.h"
#include "engine/output_sink.h"

namespace weft {

// One run of a guest that is not an HTTP request: a command, or a call of an export. In a fresh
// instance on the deployment's loop; dropping it stops the guest at once.
class GuestRun {
 public:
  // What one run has of its own.
  struct Own {
    // In the place of the deployment's; made of that by `with`.
    std::unique_ptr<LinkedProgram> program = nullptr;
    // Where it prints, whatever its grants say of that; outlives the run.
    OutputSink* output = nullptr;
    // How long it may take, where the deployment's own limit is not shorter; 0: that holds alone.
    std::chrono::milliseconds time{0};
    // Called from inside the start, for what providers keep of this instance.
    std::move_only_function<void(Context& context)> starts = {};
  };
  // What it used. Its processor time is counted around each poll, host calls included.
  struct Spent {
    std::uint64_t cpu_ns = 0;
    std::uint64_t memory_peak_bytes = 0;
    std::uint64_t memory_byte_ms = 0;  // What its memories held, times how long they did.
  };

  // Called once, on the loop, never from inside the start. The run may be dropped in it.
  using Done = std::move_only_function<void(RunOutcome outcome, BytesView reply)>;

  static std::unique_ptr<GuestRun> command(Deployment& deployment, Done done) {
    return command(deployment, {}, std::move(done));
  }
  static std::unique_ptr<GuestRun> command(Deployment& deployment, Own own, Done done);
  // `function` is the export's number in ProgramInfo; `arguments` are its parameters, encoded.
  static std::unique_ptr<GuestRun> call(Deployment& deployment, std::uint32_t function,
                                        BytesView arguments, Done done) {
    return call(deployment, function, arguments, {}, std::move(done));
  }
  static std::unique_ptr<GuestRun> call(Deployment& deployment, std::uint32_t function,
                                        BytesView arguments, Own own, Done done);

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

  // Up to now, or to its end.
  virtual Spent spent() const = 0;
  // Its sink takes more than it did. From any of the loop's handlers.
  virtual void has_room() = 0;
};

}  // namespace weft
