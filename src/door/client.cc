#include "door/client.h"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>

#include "io/loop.h"

namespace weft {
namespace {

namespace asio = boost::asio;

// Resumes a task when its call is finished, or when the task is asked to stop.
class Resumes : public Caller {
 public:
  explicit Resumes(Loop& loop) : loop_(loop) {}

  void completed(Call&) override {
    if (auto resume = std::move(resume_)) resume();
  }

  Task<void> wait() {
    auto start = [this](auto handler) {
      asio::cancellation_slot stop = asio::get_associated_cancellation_slot(handler);
      if (stop.is_connected()) {
        // Posted: nobody is resumed from inside the request to stop.
        stop.assign([this](asio::cancellation_type) {
          if (auto resume = std::move(resume_)) asio::post(loop_.executor(), std::move(resume));
        });
      }
      resume_ = [handler = std::move(handler)]() mutable { std::move(handler)(); };
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(start,
                                                                         asio::use_awaitable);
    co_return Result<void>();
  }

 private:
  Loop& loop_;
  std::move_only_function<void()> resume_;
};

}  // namespace

Task<HeldCall> perform(CallPool& pool, Link& link, Context& context, Buffer arguments,
                       Deadline deadline) {
  Call* call = pool.start(link, context, arguments.view(), deadline);
  HeldCall held(call, std::move(arguments));
  if (held->state() == Call::State::kRunning) {
    Resumes resumes(context.loop());
    held->set_caller(&resumes);
    CO_TRY_VOID(co_await resumes.wait());
    if (held->state() == Call::State::kRunning) {
      co_return failure(Errc::kCancelled, "the task that waited for the call was stopped");
    }
  }
  if (held->state() == Call::State::kFailed) co_return std::unexpected(held->error());
  co_return held;
}

}  // namespace weft
