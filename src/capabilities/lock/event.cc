#include "capabilities/lock/event.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "io/loop.h"

namespace weft::lock {

namespace asio = boost::asio;

Event::Event(Loop& loop) : never_(loop.context(), asio::steady_timer::time_point::max()) {}

void Event::happen() {
  happened_ = true;
  never_.cancel();
}

Task<void> Event::wait(std::shared_ptr<Event> event) {
  if (!event->happened_) co_await event->never_.async_wait(asio::as_tuple(asio::use_awaitable));
  if (!event->happened_) co_return failure(Errc::kCancelled, "nobody waits for it any more");
  co_return Result<void>();
}

}  // namespace weft::lock
