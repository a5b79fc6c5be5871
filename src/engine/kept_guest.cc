#include "engine/kept_guest.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/buffer.h"
#include "base/check.h"
#include "base/id.h"
#include "base/log.h"
#include "engine/call_time.h"
#include "engine/instance.h"
#include "engine/notes.h"
#include "io/timer.h"

namespace weft {
namespace {

class Kept final : public KeptGuest, public Pollable, public bridge::ReplySink {
 public:
  explicit Kept(Deployment& deployment)
      : deployment_(deployment),
        instance_(deployment),
        limit_(deployment.engine.loop(), [this] { out_of_time(); }),
        slot_(deployment.engine.add(*this)),
        callee_(bridge::callee_new(*deployment.program.impl().linked, &instance_,
                                   wake_key(deployment.engine, slot_))) {
    if (deployment.meter != nullptr) deployment.meter->instances.add();
  }
  ~Kept() override { deployment_.engine.remove(slot_); }

  void call(std::uint32_t function, GuestRun::Exchange exchange, GuestRun::Done done) override {
    CHECK(!done_ && !over());
    ++calls_;
    Context& context = instance_.context();
    context.request_id = deployment_.request_ids.next();
    done_ = std::move(done);
    replied_ = std::move(exchange.replied);
    returned_ = false;
    time_ = shorter_time(deployment_.limits.time, exchange.time);
    instance_.deadline = Deadline::never();
    if (time_.count() > 0) {
      instance_.deadline = Deadline::after(time_);
      limit_.arm(instance_.deadline);
    }
    arguments_.clear();
    Writer out(arguments_, &context.resources());
    if (exchange.arguments) exchange.arguments(out);
    written_ = out.end();
    if (written_) {
      BytesView bytes = arguments_.view();
      callee_->call(function, {bytes.data(), bytes.size()}, this);
    }
    // The poll is the loop's, so that `done` never runs inside this.
    deployment_.engine.wakes()->wake(slot_.index, slot_.generation);
  }

  bool over() const override {
    return ended_ || lingers_ || calls_ >= std::max(1U, deployment_.limits.reuse_calls_max);
  }

  void poll() override {
    if (ended_) return;
    if (done_ && !written_) {
      return finish({RunOutcome::Ending::kFailed, 1, written_.error().message()});
    }
    {
      WakeTarget::Poll polling(*deployment_.engine.wakes(), slot_.index, slot_.generation);
      ended_ = callee_->poll();
    }
    count();
    if (ended_) return finish(from_bridge(callee_->outcome()));
    if (!returned_) return;
    // The next call would wait for what it does for itself, and pay for it.
    lingers_ = callee_->lingers();
    finish({});
  }

  void reply(rust::Slice<const std::uint8_t> bytes) override {
    returned_ = true;
    Reader in({bytes.data(), bytes.size()}, &instance_.context().resources());
    if (replied_) std::exchange(replied_, nullptr)(in);
  }

 private:
  void count() {
    if (deployment_.meter == nullptr) return;
    bridge::Spent spent = callee_->spent();
    deployment_.meter->cpu_ns.add(spent.cpu_ns - std::exchange(counted_ns_, spent.cpu_ns));
    deployment_.meter->memory_peak.raise(spent.memory_bytes);
  }

  void finish(RunOutcome outcome) {
    limit_.disarm();
    if (outcome.ending != RunOutcome::Ending::kDone) ended_ = true;
    returned_ = false;
    // While it is known for which call it was printed.
    instance_.end_lines();
    note_ended(deployment_, outcome, id_text(instance_.context().request_id));
    if (GuestRun::Done done = std::exchange(done_, nullptr)) {
      done(std::move(outcome), {});
    } else {
      log::warn(deployment_.component, "ended between two calls",
                {{"app", deployment_.app}, {"why", outcome.message}});
    }
  }

  void out_of_time() {
    finish({RunOutcome::Ending::kLimited, 1, out_of_time_message(deployment_.component, time_),
            LimitKind::kTime});
  }

  Deployment& deployment_;
  Instance instance_;
  GuestRun::Done done_;  // Of the call that is in it, if there is one.
  std::move_only_function<void(Reader&)> replied_;
  std::chrono::milliseconds time_{0};
  Buffer arguments_;
  Result<void> written_;
  bool returned_ = false;
  bool ended_ = false;
  bool lingers_ = false;
  std::uint32_t calls_ = 0;
  std::uint64_t counted_ns_ = 0;
  Timer limit_;
  EngineLoop::Slot slot_;
  rust::Box<bridge::Callee> callee_;
};

}  // namespace

std::unique_ptr<KeptGuest> KeptGuest::make(Deployment& deployment) {
  return std::make_unique<Kept>(deployment);
}

}  // namespace weft
