#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "remote/testing/real_server.h"

namespace weft::remote::nats {

// Debian's nats-server with JetStream. For tests.
inline std::vector<std::string> server_command(std::uint16_t port, const std::string& folder) {
  return {"nats-server", "-a", "127.0.0.1", "-p", std::to_string(port), "-js", "-sd", folder};
}

// The same with a file of settings, in NATS's own language.
inline RealServer::Command server_with(std::string settings) {
  return [settings](std::uint16_t port, const std::string& folder) {
    std::string file = folder + "/nats.conf";
    std::ofstream(file) << settings;
    auto command = server_command(port, folder);
    command.insert(command.end(), {"-c", file});
    return command;
  };
}

// One for all tests of a process.
inline RealServer& shared_server() {
  static RealServer server(server_command);
  return server;
}

}  // namespace weft::remote::nats
