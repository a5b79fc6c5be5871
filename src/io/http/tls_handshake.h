#pragma once

#include <memory>

#include "io/http/transport.h"
#include "io/timer.h"

namespace weft {

class HttpListener;

// A connection whose TLS handshake is under way. When it is done, a connection of the protocol that
// was agreed on takes its place in the listener's list; when it fails or takes longer than
// tls_timeout, it is closed. Owns itself.
class TlsHandshake final : public HttpConnection {
 public:
  static void start(std::shared_ptr<HttpListener> listener, HttpTransport transport);

  // A client that is greeting is served, when it goes on within kLinger.
  void drain() override;
  void shut() override;

 private:
  TlsHandshake(std::shared_ptr<HttpListener> listener, HttpTransport transport);

  void step();
  void wait(boost::asio::socket_base::wait_type what);
  void close();

  // Shared: each operation under way holds it, and `self_` until it has closed.
  std::shared_ptr<HttpListener> listener_;
  std::shared_ptr<TlsHandshake> self_;
  HttpTransport transport_;
  Timer timer_;
};

}  // namespace weft
