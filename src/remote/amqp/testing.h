#pragma once

#include <fmt/format.h>

#include <fstream>
#include <string>
#include <vector>

#include "remote/testing/real_server.h"

namespace weft::remote::amqp {

// Debian's rabbitmq-server as a node of its own, which keeps all it has in the folder. For tests.
//
// It is the process that is started, so that a signal ends it. Its directory of nodes (epmd) is its
// child, ends with it, and like all else listens on the loopback alone.
inline std::vector<std::string> server_command(std::uint16_t port, const std::string& folder) {
  std::string file = folder + "/start";
  std::ofstream(folder + "/plugins") << "[].\n";
  std::ofstream(folder + "/env") << "";
  std::ofstream(folder + "/rabbitmq.conf") << "vm_memory_high_watermark.absolute = 1GB\n"
                                           << "disk_free_limit.absolute = 50MB\n";
  std::ofstream(file) << fmt::format(
      "export HOME='{0}' NOTIFY_SOCKET='{0}/none' RABBITMQ_NODENAME=weft@localhost\n"
      "export RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT={1} RABBITMQ_DIST_PORT={2}\n"
      "export RABBITMQ_MNESIA_BASE='{0}/mnesia' RABBITMQ_LOG_BASE='{0}/logs' RABBITMQ_LOGS=-\n"
      "export RABBITMQ_ENABLED_PLUGINS_FILE='{0}/plugins' RABBITMQ_CONF_ENV_FILE='{0}/env'\n"
      "export RABBITMQ_CONFIG_FILE='{0}/rabbitmq' ERL_EPMD_PORT={3} ERL_EPMD_ADDRESS=127.0.0.1\n"
      "export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="
      "'-kernel inet_dist_use_interface {{127,0,0,1}} +S 1:1 +sbwt none +sbwtdcpu none'\n"
      "setpriv --pdeathsig KILL epmd -port {3} -address 127.0.0.1 &\n"
      // With NOTIFY_SOCKET it does not stay a shell with the server as a child.
      "exec /usr/lib/rabbitmq/bin/rabbitmq-server\n",
      folder, port, free_port(), free_port());
  return {"/bin/sh", file};
}

// One for all tests of a process.
inline RealServer& shared_server() {
  static RealServer server(server_command);
  return server;
}

}  // namespace weft::remote::amqp
