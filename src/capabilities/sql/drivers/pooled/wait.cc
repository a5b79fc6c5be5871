#include "capabilities/sql/drivers/pooled/wait.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>

#include "io/loop.h"
#include "io/timer.h"

namespace weft::sql::pooled {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

}  // namespace

Socket::Socket(Loop& loop) : loop_(loop), socket_(loop.executor()) {}

void Socket::watch(int descriptor) {
  if (socket_.is_open() && socket_.native_handle() == descriptor) return;
  release();
  if (descriptor < 0) return;
  boost::system::error_code problem;
  socket_.assign(descriptor, problem);
}

void Socket::release() {
  if (socket_.is_open()) socket_.release();
}

Wait<bool> Socket::ready(Event event, Deadline deadline) {
  if (deadline.passed() || !socket_.is_open()) co_return false;
  bool late = false;
  Timer timer(loop_, [&] {
    late = true;
    socket_.cancel();
  });
  if (!deadline.is_never()) timer.arm(deadline);
  auto kind = event == Event::kReadable ? Descriptor::wait_read : Descriptor::wait_write;
  static_cast<void>(co_await socket_.async_wait(kind, asio::as_tuple(asio::use_awaitable)));
  co_return !late;
}

namespace {

// What the waiting task and the other thread have in common.
struct Apart {
  Apart(Loop& loop, Deadline deadline) : timer(loop.executor(), deadline.when()) {}

  asio::steady_timer timer;  // Cancelled when the work is done. On the loop.
  bool done = false;
};

}  // namespace

Wait<bool> apart(Loop& loop, Pool& helpers, Pool::Work work, Deadline deadline) {
  auto state = std::make_shared<Apart>(loop, deadline);
  auto submitted = helpers.submit(loop, std::move(work), [state] {
    state->done = true;
    state->timer.cancel();
  });
  if (!submitted) co_return false;
  if (!state->done) {
    static_cast<void>(co_await state->timer.async_wait(asio::as_tuple(asio::use_awaitable)));
  }
  co_return state->done;
}

}  // namespace weft::sql::pooled
