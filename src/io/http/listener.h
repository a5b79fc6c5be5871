#pragma once

#include <array>
#include <atomic>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/fd.h"
#include "io/gate.h"
#include "io/http/exchange.h"
#include "io/http/limits.h"
#include "io/http/transport.h"
#include "io/timer.h"

namespace weft {

// What all loops of one server share.
struct HttpShared {
  HttpLimits limits;
  std::atomic<std::size_t> connections{0};
  Gate gate;  // Every connection holds a pass.
};

// One loop's share of one address of a server: its listening socket and the connections that it
// accepted. Shared by the server and the connections, because an exchange may be held beyond both.
// On the loop's thread only, after make.
class HttpListener : public std::enable_shared_from_this<HttpListener> {
 public:
  using Executor = boost::asio::io_context::executor_type;

  // `tls` is shared with the other loops and whoever reloads it; null for plain.
  HttpListener(Loop& loop, HttpHandler& handler, std::shared_ptr<HttpShared> shared,
               std::shared_ptr<TlsContext> tls = nullptr);
  ~HttpListener();

  // Takes over a socket that listens and does not block.
  Result<void> open(Fd socket, boost::asio::ip::tcp protocol);
  // Accepts what waits already, then nothing more; connections close as they fall idle.
  void drain();
  // Closes everything now. The handler is not called any more.
  void close();

  Loop& loop() { return loop_; }
  // Null once closed.
  HttpHandler* handler() { return handler_; }
  const HttpLimits& limits() const { return shared_->limits; }
  bool draining() const { return draining_; }
  bool secure() const { return tls_ != nullptr; }

  // The value of a Date header, made once a second.
  std::string_view date();
  // Room of kBodyBuffer for a body, used again.
  Buffer take_buffer();
  void give_buffer(Buffer buffer);

  void opened(HttpConnection& connection);
  void closed(HttpConnection& connection);

 private:
  // Connections that only hear that there are too many, at once; beyond it they are just closed.
  static constexpr std::size_t kRefusedMax = 64;
  static constexpr std::size_t kAcceptBatch = 64;
  static constexpr std::size_t kBuffersKept = 16;
  static constexpr std::chrono::milliseconds kAcceptPause{100};

  void wait();
  void accept();
  bool accept_one();

  Loop& loop_;
  HttpHandler* handler_;
  std::shared_ptr<HttpShared> shared_;
  std::shared_ptr<TlsContext> tls_;
  boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, Executor> acceptor_;
  Timer pause_;
  std::vector<HttpConnection*> connections_;  // Each knows its place.
  std::vector<Buffer> buffers_;
  std::size_t refused_ = 0;
  bool draining_ = false;
  bool pause_logged_ = false;
  std::time_t date_at_ = -1;
  std::array<char, 32> date_{};
  std::size_t date_size_ = 0;
};

}  // namespace weft
