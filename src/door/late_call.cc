#include "door/late_call.h"

#include <fmt/format.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include "io/loop.h"

namespace weft {

namespace asio = boost::asio;

struct LateCall::Work {
  asio::cancellation_signal stop;
};

LateCall::LateCall(Completion done)
    : call_(done.call()), done_(std::move(done)), deadline_(call_->context().loop(), [this] {
        give_up(Error(Errc::kTimeout,
                      fmt::format("{} {}: no answer before the deadline",
                                  call_->function().interface, call_->function().name)));
      }) {
  done_.on_cancel(
      [](void* self) {
        static_cast<LateCall*>(self)->give_up(Error(Errc::kCancelled, "the caller has given up"));
      },
      this);
  deadline_.arm(call_->deadline());
}

LateCall::~LateCall() = default;

// The work is done: its caller, who may go on before this object is gone, may take for itself what
// it had lent.
Completion LateCall::take() {
  deadline_.disarm();
  lent_.clear();
  return std::move(done_);
}

// The call ends first and the work is told second: it may end at once, and this object with it.
void LateCall::give_up(Error error) {
  deadline_.disarm();
  Completion done = std::move(done_);
  asio::cancellation_signal* stop = work_ == nullptr ? nullptr : &work_->stop;
  if (done) std::move(done).fail(std::move(error));
  if (stop != nullptr) stop->emit(asio::cancellation_type::all);
}

void LateCall::spawn(std::unique_ptr<LateCall> late, Task<void> task) {
  late->work_ = std::make_unique<Work>();
  asio::any_io_executor executor = late->loop().executor();
  asio::cancellation_slot stop = late->work_->stop.slot();
  auto ended = [late = std::move(late)](const std::exception_ptr& thrown,
                                        const Result<void>& outcome) {
    Loop::Turn turn(late->loop());
    if (!late->waiting()) return;
    std::string what = "the work ended without an answer";
    if (!outcome) what = outcome.error().message();
    if (thrown != nullptr) {
      try {
        std::rethrow_exception(thrown);
      } catch (const std::exception& exception) {
        what = exception.what();
      } catch (...) {
        what = "an exception of unknown type";
      }
    }
    Call& call = *late->call_;
    late->take().fail(Error(Errc::kInternal, fmt::format("{} {}: {}", call.function().interface,
                                                         call.function().name, what)));
  };
  asio::co_spawn(executor, std::move(task), asio::bind_cancellation_slot(stop, std::move(ended)));
}

}  // namespace weft
