#pragma once

#include <cstdint>
#include <string>

#include "remote/testing/real_server.h"

namespace weft::remote::etcd {

// Debian's etcd, a cluster of one that has elected itself, which it does some time after it
// listens. It keeps its data in memory, so that a busy disk makes nobody wait; they outlive the
// process all the same. For tests.
class Server {
 public:
  Server();
  ~Server();
  Server(const Server&) = delete;

  std::uint16_t port() const { return server_.port(); }
  void kill() { server_.kill(); }
  void freeze() { server_.freeze(); }
  void thaw() { server_.thaw(); }
  void start() {
    server_.start();
    wait();
  }

 private:
  void wait();

  std::string data_;
  RealServer server_;
};

// One for all tests of a process.
inline Server& shared_server() {
  static Server server;
  return server;
}

}  // namespace weft::remote::etcd
