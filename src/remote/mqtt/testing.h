#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "remote/testing/real_server.h"

namespace weft::remote::mqtt {

// Debian's mosquitto, which keeps sessions in files. `more` are lines of its settings. For tests.
inline std::vector<std::string> server_command_with(const std::string& more, std::uint16_t port,
                                                    const std::string& folder) {
  std::string file = folder + "/mosquitto.conf";
  std::ofstream(file) << "listener " << port << " 127.0.0.1\nallow_anonymous true\n"
                      << "persistence true\npersistence_location " << folder << "/\n"
                      << "max_queued_messages 100000\nuser root\n"
                      << more;
  return {"/usr/sbin/mosquitto", "-c", file};
}
inline std::vector<std::string> server_command(std::uint16_t port, const std::string& folder) {
  return server_command_with("", port, folder);
}

// One for all tests of a process.
inline RealServer& shared_server() {
  static RealServer server(server_command);
  return server;
}

}  // namespace weft::remote::mqtt
