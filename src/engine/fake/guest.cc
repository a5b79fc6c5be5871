#include "engine/fake/guest.h"

#include "door/codec.h"
#include "io/loop.h"

namespace weft {

FakeGuest::FakeGuest(Deployment& deployment, Owner& owner)
    : deployment_(deployment),
      owner_(owner),
      context_(std::make_unique<Context>(deployment.engine.loop(), deployment.app,
                                         deployment.component, &deployment.contexts)),
      slot_(deployment.engine.add(*this)),
      limit_(deployment.engine.loop(),
             [this] { end(failure(Errc::kTimeout, "ran longer than its time limit")); }) {}

FakeGuest::~FakeGuest() {
  if (call_ != nullptr) call_->release();
  deployment_.engine.remove(slot_);
  Context::retire(std::move(context_));
}

void FakeGuest::start(std::uint64_t request_id) {
  context_->request_id = request_id;
  if (deployment_.limits.time.count() > 0) {
    deadline_ = Deadline::at(deployment_.engine.loop().now() + deployment_.limits.time);
    limit_.arm(deadline_);
  }
  wake();
}

void FakeGuest::poll() {
  if (over_) return;
  const std::vector<FakeStep>& steps = deployment_.program.impl().program->steps;
  while (step_ < steps.size()) {
    const FakeStep& step = steps[step_];
    Progress progress = Progress::kOn;
    switch (step.kind) {
      case FakeStep::Kind::kCall: progress = call(step); break;
      case FakeStep::Kind::kPause: progress = pause(); break;
      case FakeStep::Kind::kKeep: progress = keep(); break;
      case FakeStep::Kind::kDrop: {
        Reader reader(handle_);
        context_->resources().drop(static_cast<std::uint32_t>(reader.unsigned_leb(32)));
      }
    }
    if (progress == Progress::kWait) return;
    if (progress == Progress::kFailed) return end(failure(Errc::kTrap, problem_));
    ++step_;
  }
  end(std::move(reply_));
}

FakeGuest::Progress FakeGuest::call(const FakeStep& step) {
  if (call_ == nullptr) {
    Bytes arguments;
    for (std::uint16_t value : step.arguments) {
      if (value == FakeStep::kHandle) {
        arguments.insert(arguments.end(), handle_.begin(), handle_.end());
      } else {
        arguments.push_back(static_cast<std::uint8_t>(value));
      }
    }
    call_ = deployment_.engine.calls().start(deployment_.links.at(step.function), *context_,
                                             arguments, deadline_);
  }
  if (call_->state() == Call::State::kRunning) {
    if (call_->caller() == nullptr) call_->set_caller(this);
    return Progress::kWait;
  }
  bool failed = call_->state() == Call::State::kFailed;
  if (failed) {
    problem_ = call_->error().message();
  } else {
    reply_.assign(call_->reply().begin(), call_->reply().end());
  }
  std::exchange(call_, nullptr)->release();
  return failed ? Progress::kFailed : Progress::kOn;
}

FakeGuest::Progress FakeGuest::pause() {
  if (std::exchange(pausing_, !pausing_)) return Progress::kOn;
  auto woken = [wakes = deployment_.engine.wakes(), slot = slot_] {
    // More often than needed, as real wakers do.
    wakes->wake(slot.index, slot.generation);
    wakes->wake(slot.index, slot.generation);
  };
  if (auto sent = deployment_.engine.runtime().impl().elsewhere.submit(woken); !sent) {
    problem_ = sent.error().message();
    return Progress::kFailed;
  }
  return Progress::kWait;
}

FakeGuest::Progress FakeGuest::keep() {
  if (reply_.size() < 2 || reply_[0] != 0) {
    problem_ = "the last reply holds no handle";
    return Progress::kFailed;
  }
  handle_.assign(reply_.begin() + 1, reply_.end());
  return Progress::kOn;
}

void FakeGuest::end(Result<Bytes> reply) {
  over_ = true;
  limit_.disarm();
  owner_.ended(std::move(reply));
}

}  // namespace weft
