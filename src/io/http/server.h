#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "io/http/exchange.h"
#include "io/http/limits.h"
#include "io/http/tls.h"
#include "io/loop.h"

namespace weft {

class HttpListener;
struct HttpShared;

// Where a server listens, and whether it speaks TLS there.
struct HttpAddress {
  std::string address = "127.0.0.1";          // An IPv4 or IPv6 address.
  std::uint16_t port = 0;                     // 0: any free one, the same on every loop.
  std::shared_ptr<TlsContext> tls = nullptr;  // Shared with whoever reloads it. Null: plain.
  // Given: a Unix socket, in the place of address and port. Made with mode 0660; one that nobody
  // listens at is replaced, and it is gone with the server. Exchanges have their client's
  // credentials as peer: "unix:uid=1000,gid=100,pid=4711", as they were when it connected.
  std::string path = {};
};

// Serves HTTP/1 and HTTP/2 on some addresses: every loop listens on each of them and keeps the
// connections that it accepts.
class HttpServer {
 public:
  struct Options {
    std::vector<HttpAddress> addresses = std::vector<HttpAddress>(1);
    int backlog = 4096;
    HttpLimits limits = {};
  };

  // One handler per loop, in the order of the loops, not owned. The loops run and outlive the
  // server; the handlers outlive its drain. Not from a loop's thread. kConflict for a port that is
  // taken.
  static Result<std::unique_ptr<HttpServer>> listen(Loops& loops,
                                                    std::span<HttpHandler* const> handlers,
                                                    Options options);
  // Breaks off what is left, and waits for the loops to let go of it.
  ~HttpServer();

  // Of the first address, or of another.
  std::uint16_t port(std::size_t index = 0) const { return addresses_[index].port; }
  // "http://127.0.0.1:8080/", "https://..."
  std::string url(std::size_t index = 0) const;
  // As they were asked for, with the ports that they got.
  const std::vector<HttpAddress>& addresses() const { return addresses_; }

  // Stops accepting, lets every exchange finish with "connection: close", closes what is idle.
  // kTimeout when some are left at the deadline. Not from a loop's thread.
  Result<void> drain(Deadline deadline);

  std::size_t connections() const;

 private:
  HttpServer() = default;
  // On each listener, on its loop.
  void on_listeners(const std::function<void(std::shared_ptr<HttpListener>&)>& work);

  Loops* loops_ = nullptr;
  std::vector<HttpAddress> addresses_;
  std::shared_ptr<HttpShared> shared_;  // Shared with the listeners, of which some may live longer.
  // Shared with their connections; those of the first loop first, in the order of the addresses.
  std::vector<std::shared_ptr<HttpListener>> listeners_;
};

}  // namespace weft
