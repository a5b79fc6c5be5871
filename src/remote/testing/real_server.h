#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/fd.h"

namespace weft::remote {

// A server of somebody else's as a child process, on a free loopback port, in a folder of its own;
// stopped by its pid. For tests.
class RealServer {
 public:
  // The command that serves on 127.0.0.1:port and keeps its files in `folder`.
  using Command =
      std::function<std::vector<std::string>(std::uint16_t port, const std::string& folder)>;

  // Starts it and waits until the port accepts. A program that is not there is a CHECK with a
  // message: the tests' packages bring it.
  explicit RealServer(Command command);
  ~RealServer();
  RealServer(const RealServer&) = delete;

  std::uint16_t port() const { return port_; }
  const std::string& folder() const { return folder_; }

  // Ends it, at once or in its own way, and starts it on the same port and folder.
  void kill();
  void stop();
  void start();
  // It runs, but does nothing.
  void freeze();
  void thaw();

 private:
  void end(int signal);

  Command command_;
  std::string folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = 0;
};

// A port of 127.0.0.1 that nobody listens on just now.
std::uint16_t free_port();

// How a server that runs on Node.js is started, of those that scripts/setup.sh installs: nothing
// where it could not.
std::vector<std::string> node_program(const std::string& name);

}  // namespace weft::remote
