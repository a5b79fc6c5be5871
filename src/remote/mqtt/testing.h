#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "remote/testing/real_server.h"

namespace weft::remote::mqtt {

// Debian's mosquitto, which keeps sessions in files. For tests.
inline std::vector<std::string> server_command(std::uint16_t port, const std::string& folder) {
  std::string file = folder + "/mosquitto.conf";
  std::ofstream(file) << "listener " << port << " 127.0.0.1\nallow_anonymous true\n"
                      << "persistence true\npersistence_location " << folder << "/\n"
                      << "max_queued_messages 100000\nuser root\n";
  return {"/usr/sbin/mosquitto", "-c", file};
}

// One for all tests of a process.
inline RealServer& shared_server() {
  static RealServer server(server_command);
  return server;
}

}  // namespace weft::remote::mqtt
