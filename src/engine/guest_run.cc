#include "engine/guest_run.h"

#include "base/buffer.h"
#include "base/id.h"
#include "engine/call_time.h"
#include "engine/instance.h"
#include "engine/notes.h"
#include "io/timer.h"

namespace weft {

namespace {

class Run final : public GuestRun, public Pollable, public bridge::ReplySink {
 public:
  Run(Deployment& deployment, Own own, Done done)
      : deployment_(deployment),
        program_(std::move(own.program)),
        instance_(deployment, own.output),
        done_(std::move(done)),
        time_(shorter_time(deployment.limits.time, own.time)),
        limit_(deployment.engine.loop(), [this] { out_of_time(); }),
        slot_(deployment.engine.add(*this)) {
    instance_.context().request_id = deployment.request_ids.next();
    if (time_.count() > 0) {
      Deadline deadline = Deadline::after(time_);
      instance_.deadline = deadline;
      limit_.arm(deadline);
    }
    if (own.starts) own.starts(instance_.context());
  }
  ~Run() override {
    end_task();
    deployment_.engine.remove(slot_);
  }

  void command() {
    task_.emplace(bridge::start_command(linked(), &instance_, key()));
    begin();
  }
  void call(std::uint32_t function, BytesView arguments) {
    task_.emplace(bridge::start_export(linked(), &instance_, function,
                                       {arguments.data(), arguments.size()}, this, key()));
    begin();
  }

  void call(std::uint32_t function, Exchange exchange) {
    Buffer arguments;
    Writer out(arguments, &instance_.context().resources());
    if (exchange.arguments) exchange.arguments(out);
    written_ = out.end();
    replied_ = std::move(exchange.replied);
    call(function, arguments.view());
  }

  Spent spent() const override { return task_ ? from_bridge((*task_)->spent()) : spent_; }
  void has_room() override { instance_.wake_writers(); }

  void poll() override {
    if (!task_) return;
    if (!written_) return finish({RunOutcome::Ending::kFailed, 1, written_.error().message()});
    bool ended;
    {
      WakeTarget::Poll polling(*deployment_.engine.wakes(), slot_.index, slot_.generation);
      ended = (*task_)->poll();
    }
    if (!ended) return;
    RunOutcome outcome = weft::from_bridge((*task_)->outcome());
    finish(std::move(outcome));
  }

  void reply(rust::Slice<const std::uint8_t> bytes) override {
    BytesView reply{bytes.data(), bytes.size()};
    if (!replied_) return reply_.append(reply);
    Reader in(reply, &instance_.context().resources());
    std::exchange(replied_, nullptr)(in);
  }

 private:
  const bridge::Linked& linked() const {
    return *(program_ ? *program_ : deployment_.program).impl().linked;
  }
  static Spent from_bridge(const bridge::Spent& spent) {
    return {spent.cpu_ns, spent.memory_bytes, spent.memory_byte_ms};
  }
  bridge::WakeKey key() { return wake_key(deployment_.engine, slot_); }
  // The first poll is the loop's, so that `done` never runs inside the start.
  void begin() { deployment_.engine.wakes()->wake(slot_.index, slot_.generation); }

  void end_task() {
    spent_ = spent();
    if (task_ && deployment_.meter != nullptr) {
      deployment_.meter->instances.add();
      deployment_.meter->cpu_ns.add(spent_.cpu_ns);
      deployment_.meter->memory_peak.raise(spent_.memory_peak_bytes);
    }
    task_.reset();
  }

  void finish(RunOutcome outcome) {
    limit_.disarm();
    end_task();
    note_ended(deployment_, outcome, id_text(instance_.context().request_id));
    Done done = std::move(done_);
    Buffer reply = std::move(reply_);
    done(std::move(outcome), reply.view());
  }

  void out_of_time() {
    finish({RunOutcome::Ending::kLimited, 1, out_of_time_message(deployment_.component, time_),
            LimitKind::kTime});
  }

  Deployment& deployment_;
  const std::unique_ptr<LinkedProgram> program_;  // Null: the deployment's.
  Instance instance_;
  Done done_;
  const std::chrono::milliseconds time_;  // That it may take; 0: as long as it likes.
  Buffer reply_;
  Result<void> written_;
  std::move_only_function<void(Reader&)> replied_;
  Timer limit_;
  EngineLoop::Slot slot_;
  Spent spent_;  // When the task had ended.
  std::optional<rust::Box<bridge::Task>> task_;
};

}  // namespace

std::unique_ptr<GuestRun> GuestRun::command(Deployment& deployment, Own own, Done done) {
  auto run = std::make_unique<Run>(deployment, std::move(own), std::move(done));
  run->command();
  return run;
}

std::unique_ptr<GuestRun> GuestRun::call(Deployment& deployment, std::uint32_t function,
                                         BytesView arguments, Own own, Done done) {
  auto run = std::make_unique<Run>(deployment, std::move(own), std::move(done));
  run->call(function, arguments);
  return run;
}

std::unique_ptr<GuestRun> GuestRun::call_with(Deployment& deployment, std::uint32_t function,
                                              Exchange exchange, Done done) {
  auto run = std::make_unique<Run>(deployment, Own{.time = exchange.time}, std::move(done));
  run->call(function, std::move(exchange));
  return run;
}

}  // namespace weft
