#include "app/process_call.h"

#include <utility>

namespace weft {

ProcessCall::ProcessCall(Loop& loop, ProviderProcess& process, const Function& function,
                         std::string_view app, Done done)
    : context_(std::make_unique<Context>(loop, app, "weft call")),
      provider_(process.provider_for(loop, function.interface)),
      link_(function, *provider_),
      late_(loop,
            [this] {
              if (done_) {
                std::exchange(done_, nullptr)(
                    failure(Errc::kTimeout, "it did not answer in time: see --time"));
              }
            }),
      done_(std::move(done)) {}

ProcessCall::~ProcessCall() {
  if (call_ != nullptr) call_->release();
  Context::retire(std::move(context_));
}

void ProcessCall::start(BytesView arguments, std::chrono::milliseconds most) {
  Deadline deadline = Deadline::after(most);
  call_ = pool_.start(link_, *context_, arguments, deadline);
  if (call_->state() != Call::State::kRunning) return completed(*call_);
  call_->set_caller(this);
  late_.arm(Deadline::after(most + kProcessCallLate));
}

void ProcessCall::completed(Call& call) {
  late_.disarm();
  if (!done_) return;
  Done done = std::exchange(done_, nullptr);
  if (call.state() == Call::State::kDone) {
    done(Bytes(call.reply().begin(), call.reply().end()));
  } else {
    done(std::unexpected(call.error()));
  }
}

}  // namespace weft
