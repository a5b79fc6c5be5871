#pragma once

#include <sys/socket.h>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/buffer.h"
#include "io/gate.h"
#include "io/http/tls.h"

namespace weft {

// What a listener keeps track of: a connection, or one that is being made. On the listener's loop.
class HttpConnection {
 public:
  enum class Admission : std::uint8_t { kServed, kRefused };

  // Closes when it is idle, or after what it serves.
  virtual void drain() = 0;
  // Closes now, and leaves the listener's list.
  virtual void shut() = 0;
  bool refused() const { return admission_ == Admission::kRefused; }
  std::size_t place = 0;  // In the listener's list.

 protected:
  explicit HttpConnection(Admission admission) : admission_(admission) {}
  ~HttpConnection() = default;

 private:
  const Admission admission_;
};

// What carries a connection's bytes, and goes from the one that finds out what is spoken to the one
// that speaks it.
struct HttpTransport {
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp,
                                                  boost::asio::io_context::executor_type>;

  Socket socket;
  std::unique_ptr<TlsSession> tls;  // Null for plain.
  sockaddr_storage peer{};
  std::optional<Gate::Pass> pass;
};

// "127.0.0.1:4711", "[::1]:4711".
std::string peer_text(const sockaddr_storage& peer);

}  // namespace weft
