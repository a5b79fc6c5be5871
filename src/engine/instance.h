#pragma once

// For src/engine's own sources.

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "door/context.h"
#include "engine/bridge_host.h"
#include "engine/deployment.h"
#include "engine/guest_lines.h"
#include "engine/guest_pipe.h"
#include "engine/output_sink.h"
#include "engine/runtime_impl.h"

namespace weft {

// The C++ side of one component instance: its context and its way to the deployment's links.
//
// Owned by the run, which drops the Rust side first. Calls that the instance cancelled on its way
// out may still unwind: they keep its context.
class Instance final : public bridge::GuestHost {
 public:
  // `output` is where it prints; null: as its program's grants say.
  explicit Instance(Deployment& deployment, OutputSink* output = nullptr)
      : deployment_(deployment),
        output_(output),
        pumps_(deployment.engine),
        context_(std::make_unique<Context>(deployment.engine.loop(), deployment.app,
                                           deployment.component, &deployment.contexts)) {
    context_->resources().set_limit(deployment.limits.handles_max);
  }
  ~Instance() override {
    end_lines();
    context_->pipes().end_guest();
    pumps_.stop();
    Context::retire(std::move(context_));
  }

  Context& context() { return *context_; }
  Deadline deadline = Deadline::never();  // Of the calls it makes.
  // The sink takes more.
  void wake_writers();

  // What was printed without the end of a line is one: nothing follows of those who printed it.
  void end_lines() {
    for (GuestLines& lines : printed_) lines.end([this](std::string_view line) { log(line); });
  }

  Call* begin(std::uint32_t function, rust::Slice<const std::uint8_t> arguments) override {
    return deployment_.engine.calls().start(deployment_.links.at(function), *context_,
                                            {arguments.data(), arguments.size()}, deadline);
  }
  void drop_resource(std::uint32_t slot) override { context_->resources().drop(slot); }
  std::int64_t output_room(std::uint8_t stream) override;
  rust::String output_error(std::uint8_t stream) override;
  void output_write(std::uint8_t stream, rust::Slice<const std::uint8_t> bytes) override;
  void output_wait(std::uint8_t stream, rust::Box<bridge::CallWaker> waker) override;
  PipeTable& pipes() override { return context_->pipes(); }
  Pumps& pumps() override { return pumps_; }
  void send(const bridge::OutgoingRequest& request,
            rust::Box<bridge::OutgoingTransfer> transfer) override;

 private:
  bool prints_to_process() const {
    return deployment_.program.impl().stdio == WasiGrants::Stdio::kInherit;
  }
  void log(std::string_view line) { deployment_.printed.write(line, context_->request_id); }

  // Those who wait for room in the sink; when they are more, all are woken to ask again.
  static constexpr std::size_t kWritersMax = 64;

  Deployment& deployment_;
  OutputSink* const output_;
  std::vector<rust::Box<bridge::CallWaker>> writers_;
  Pumps pumps_;
  std::array<GuestLines, 2> printed_;
  std::unique_ptr<Context> context_;
};

RunOutcome from_bridge(const bridge::Outcome& outcome);

inline bridge::WakeKey wake_key(EngineLoop& engine, EngineLoop::Slot slot) {
  return {engine.wakes(), slot.index, slot.generation};
}

}  // namespace weft
