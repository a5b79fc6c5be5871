#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "io/http/exchange.h"
#include "io/http/limits.h"
#include "io/loop.h"

namespace weft {

class HttpListener;
struct HttpShared;

// Serves HTTP on one address: every loop listens on the same port and keeps the connections that it
// accepts.
class HttpServer {
 public:
  struct Options {
    std::string address = "127.0.0.1";  // An IPv4 or IPv6 address.
    std::uint16_t port = 0;             // 0: any free one, the same on every loop.
    int backlog = 4096;
    HttpLimits limits = {};
  };

  // One handler per loop, in the order of the loops, not owned. The loops run and outlive the
  // server; the handlers outlive its drain. Not from a loop's thread. kConflict for a port that is
  // taken.
  static Result<std::unique_ptr<HttpServer>> listen(Loops& loops,
                                                    std::span<HttpHandler* const> handlers,
                                                    const Options& options);
  // Breaks off what is left, and waits for the loops to let go of it.
  ~HttpServer();

  std::uint16_t port() const { return port_; }
  // "http://127.0.0.1:8080/"
  std::string url() const;

  // Stops accepting, lets every exchange finish with "connection: close", closes what is idle.
  // kTimeout when some are left at the deadline. Not from a loop's thread.
  Result<void> drain(Deadline deadline);

  std::size_t connections() const;

 private:
  HttpServer() = default;

  Loops* loops_ = nullptr;
  std::string address_;
  std::uint16_t port_ = 0;
  std::shared_ptr<HttpShared> shared_;  // Shared with the listeners, of which some may live longer.
  std::vector<std::shared_ptr<HttpListener>> listeners_;  // Shared with their connections.
};

}  // namespace weft
