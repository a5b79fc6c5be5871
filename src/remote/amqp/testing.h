#pragma once

#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/check.h"
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

// The same over TLS alone, of a certificate and its key in files.
inline RealServer::Command tls_server_command(std::string certificate, std::string key) {
  return [certificate, key](std::uint16_t port, const std::string& folder) {
    auto command = server_command(free_port(), folder);
    std::ofstream(folder + "/rabbitmq.conf", std::ios::app)
        << "listeners.ssl.1 = 127.0.0.1:" << port << "\nssl_options.certfile = " << certificate
        << "\nssl_options.keyfile = " << key << "\nssl_options.verify = verify_none\n";
    return command;
  };
}

// RabbitMQ 3.10 writes the names of new quorum queues down a few seconds late. One that it is
// killed before is there afterwards, empty and without a leader: a test that kills waits for that.
inline void wait_until_written(const RealServer& server, std::string_view queue) {
  std::string file = server.folder() + "/mnesia/weft@localhost/quorum/weft@localhost/names.dets";
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (;;) {
    std::ifstream in(file, std::ios::binary);
    std::string names((std::istreambuf_iterator<char>(in)), {});
    if (names.contains(queue)) return;
    CHECK(std::chrono::steady_clock::now() < until);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

// One for all tests of a process.
inline RealServer& shared_server() {
  static RealServer server(server_command);
  return server;
}

}  // namespace weft::remote::amqp
