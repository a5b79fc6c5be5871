#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>

#include "capabilities/sql/drivers/pooled/connection.h"
#include "io/pool.h"
#include "remote/health.h"

namespace weft::sql::pooled {

// A socket of somebody else's that is waited for, and never closed by this. On its loop only.
class Socket {
 public:
  enum class Event : std::uint8_t { kReadable, kWritable };

  explicit Socket(Loop& loop);
  ~Socket() { release(); }

  // Takes that one in the place of another; none where it is negative.
  void watch(int descriptor);
  void release();
  // False at the deadline, and where there is no socket.
  Wait<bool> ready(Event event, Deadline deadline);

 private:
  Loop& loop_;
  boost::asio::posix::stream_descriptor socket_;
};

// Counts one request that is sent now, as answered or not, when it goes.
class Counted {
 public:
  // Not answered are those after which `broken` is true. Both outlive it.
  Counted(remote::Health& health, const bool& broken)
      : health_(health), broken_(broken), since_(remote::Health::Clock::now()) {}
  Counted(const Counted&) = delete;
  ~Counted() {
    if (broken_) {
      health_.unanswered();
      health_.down();
    } else {
      health_.answered(since_);
    }
  }

 private:
  remote::Health& health_;
  const bool& broken_;
  const remote::Health::Clock::time_point since_;
};

// Does `work` on a thread that may block, and goes on here after it. False where too much waits for
// a thread, and at the deadline: then `work` may run all the same, so it owns what it uses.
Wait<bool> apart(Loop& loop, Pool& helpers, Pool::Work work, Deadline deadline);

}  // namespace weft::sql::pooled
