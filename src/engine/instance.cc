#include "engine/instance.h"

#include "engine/outgoing.h"

namespace weft {

void Instance::log(rust::Slice<const std::uint8_t> text) {
  deployment_.printed.write(as_text({text.data(), text.size()}), context_->request_id);
}

void Instance::send(const bridge::OutgoingRequest& request,
                    rust::Box<bridge::OutgoingTransfer> transfer) {
  Outgoing::of(deployment_.engine)
      .send(request, std::move(transfer), deployment_.program.impl().gate,
            {.observer = deployment_.observer,
             .meter = deployment_.meter,
             .trace = context_->trace,
             .trace_state = context_->trace_state});
}

RunOutcome from_bridge(const bridge::Outcome& outcome) {
  RunOutcome out;
  switch (outcome.ending) {
    case bridge::Ending::Done: out.ending = RunOutcome::Ending::kDone; break;
    case bridge::Ending::Exited: out.ending = RunOutcome::Ending::kExited; break;
    case bridge::Ending::Trapped: out.ending = RunOutcome::Ending::kTrapped; break;
    case bridge::Ending::Limited: out.ending = RunOutcome::Ending::kLimited; break;
    case bridge::Ending::NoRoom: out.ending = RunOutcome::Ending::kNoRoom; break;
    default: out.ending = RunOutcome::Ending::kFailed; break;
  }
  out.exit_code = outcome.exit_code;
  out.message = to_string(outcome.message);
  return out;
}

}  // namespace weft
