#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "io/loop.h"
#include "node/control/permits.h"
#include "node/daemon/node.h"

namespace weft::node::control {

// Of a body: settings, keys.
inline constexpr std::size_t kControlBytesMax = 256 << 10;
inline constexpr std::size_t kControlConnectionsMax = 64;

class ControlHandler;

// Serves a node's control socket, on a loop and a thread of its own.
//
// Made and destroyed by the thread that has the node, which outlives it.
class ControlServer {
 public:
  struct Options {
    std::string path;
    Permits permits;
    // A node is asked to stop. From a thread of the server's pool; it tells who stops, and returns.
    std::function<void()> stop;
  };
  static Result<std::unique_ptr<ControlServer>> start(daemon::Node& node, Options options);
  ~ControlServer();

 private:
  struct Impl;
  explicit ControlServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weft::node::control
