#include "remote/etcd/testing.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <chrono>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/fd.h"

namespace weft::remote::etcd {
namespace {

constexpr std::chrono::seconds kStartTime{90};

// What /health answers.
std::string health(std::uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  timeval patience{.tv_sec = 1, .tv_usec = 0};
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return "";
  constexpr std::string_view kAsk = "GET /health HTTP/1.0\r\n\r\n";
  if (send(socket.get(), kAsk.data(), kAsk.size(), MSG_NOSIGNAL) < 0) return "";
  std::string said;
  char part[1024];
  for (ssize_t count; (count = recv(socket.get(), part, sizeof(part), 0)) > 0;) {
    said.append(part, static_cast<std::size_t>(count));
  }
  return said;
}

std::string data_folder() {
  bool shared = std::filesystem::is_directory("/dev/shm");
  std::filesystem::path parent = shared ? "/dev/shm" : std::filesystem::temp_directory_path();
  std::string name = (parent / "weft-etcd-XXXXXX").string();
  CHECK(mkdtemp(name.data()) != nullptr);
  return name;
}

std::vector<std::string> command(std::uint16_t port, const std::string& data) {
  std::string client = fmt::format("http://127.0.0.1:{}", port);
  // Nobody comes there; the port has to be one all the same.
  std::string peer = fmt::format("http://127.0.0.1:{}", free_port());
  return {"etcd",
          "--data-dir",
          data + "/data",
          "--listen-client-urls",
          client,
          "--advertise-client-urls",
          client,
          "--listen-peer-urls",
          peer,
          "--initial-advertise-peer-urls",
          peer,
          "--initial-cluster",
          "default=" + peer,
          "--heartbeat-interval",
          "10",
          "--election-timeout",
          "50",
          "--logger",
          "zap",
          "--log-level",
          "error"};
}

}  // namespace

Server::Server()
    : data_(data_folder()),
      server_([this](std::uint16_t port, const std::string&) { return command(port, data_); }) {
  wait();
}

Server::~Server() {
  server_.kill();
  std::error_code ignored;
  std::filesystem::remove_all(data_, ignored);
}

void Server::wait() {
  auto until = std::chrono::steady_clock::now() + kStartTime;
  while (!health(port()).contains("\"true\"")) {
    CHECK(std::chrono::steady_clock::now() < until);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace weft::remote::etcd
