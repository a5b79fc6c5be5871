#pragma once

#include <string>
#include <vector>

#include "remote/testing/real_server.h"

namespace weft::keyvalue::redis {

// Debian's redis-server, that writes each change down before it answers. For tests.
inline std::vector<std::string> server_command(std::uint16_t port, const std::string& folder) {
  return {
      "redis-server", "--port", std::to_string(port), "--bind", "127.0.0.1",     "--dir", folder,
      "--save",       "",       "--appendonly",       "yes",    "--appendfsync", "always"};
}

// One for all tests of a process, with nothing in it when a test begins.
inline remote::RealServer& shared_server() {
  static remote::RealServer server(server_command);
  return server;
}

// Throws away all that it holds.
void empty(remote::RealServer& server);

}  // namespace weft::keyvalue::redis
