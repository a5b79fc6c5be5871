#include "engine/instance.h"

#include <algorithm>
#include <utility>

#include "engine/outgoing.h"
#include "engine/process_output.h"

namespace weft {

std::int64_t Instance::output_room(std::uint8_t stream) {
  // What the sink took is out.
  if (output_ != nullptr && stream == 0) return 1;
  if (output_ != nullptr) {
    std::size_t room = output_->room(OutputSink::Stream{stream});
    return static_cast<std::int64_t>(std::min(room, ProcessOutput::kWriteMax));
  }
  if (!prints_to_process()) return ProcessOutput::kWriteMax;
  ProcessOutput& output = ProcessOutput::instance();
  return stream == 0 ? output.written() : output.room(ProcessOutput::Stream{stream});
}

rust::String Instance::output_error(std::uint8_t stream) {
  ProcessOutput& output = ProcessOutput::instance();
  return stream == 0 ? output.take_error() : output.take_error(ProcessOutput::Stream{stream});
}

void Instance::output_write(std::uint8_t stream, rust::Slice<const std::uint8_t> bytes) {
  BytesView view{bytes.data(), bytes.size()};
  if (output_ != nullptr) {
    output_->write(OutputSink::Stream{stream}, view);
  } else if (prints_to_process()) {
    ProcessOutput::instance().write(ProcessOutput::Stream{stream}, view);
  } else {
    printed_.at(stream - 1).add(as_text(view), [this](std::string_view line) { log(line); });
  }
}

void Instance::output_wait(std::uint8_t stream, rust::Box<bridge::CallWaker> waker) {
  if (output_ != nullptr) {
    if (writers_.size() >= kWritersMax) wake_writers();
    writers_.push_back(std::move(waker));
    return;
  }
  ProcessOutput& output = ProcessOutput::instance();
  stream == 0 ? output.wait_written(std::move(waker)) : output.wait_room(std::move(waker));
}

void Instance::wake_writers() {
  for (auto& waker : std::exchange(writers_, {})) waker->wake();
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
  if (outcome.limit == bridge::ReachedLimit::Memory) out.limit = LimitKind::kMemory;
  if (outcome.limit == bridge::ReachedLimit::Table) out.limit = LimitKind::kTable;
  out.exit_code = outcome.exit_code;
  out.message = to_string(outcome.message);
  return out;
}

}  // namespace weft
