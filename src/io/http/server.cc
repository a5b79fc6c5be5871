#include "io/http/server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/fd.h"
#include "io/http/listener.h"

namespace weft {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  static Result<Address> parse(const std::string& text, std::uint16_t port) {
    Address address;
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      address.size = sizeof(v4);
    } else if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      address.size = sizeof(v6);
    } else {
      return failure(Errc::kInvalid,
                     fmt::format("\"{}\" is not an IP address: write it like 127.0.0.1, 0.0.0.0 "
                                 "or ::1",
                                 text));
    }
    return address;
  }
};

std::unexpected<Error> bind_failure(const std::string& address, std::uint16_t port, int problem) {
  switch (problem) {
    case EADDRINUSE:
      return failure(Errc::kConflict,
                     fmt::format("port {} on {} is taken: stop what listens there, or take another "
                                 "port (0 takes any free one)",
                                 port, address));
    case EACCES:
      return failure(Errc::kDenied, fmt::format("port {} on {} needs more rights: take one from "
                                                "1024 on",
                                                port, address));
    case EADDRNOTAVAIL:
      return failure(Errc::kInvalid, fmt::format("{} is not an address of this machine", address));
    default: return system_failure(fmt::format("listen on {} port {}", address, port), problem);
  }
}

enum class Sharing : std::uint8_t { kAlone, kReused };

Result<Fd> bound(const Address& address, const std::string& text, std::uint16_t port,
                 Sharing sharing) {
  Fd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return system_failure("make a socket", errno);
  int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // Accepted sockets inherit it.
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (sharing == Sharing::kReused &&
      ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) {
    return system_failure("share a port between loops", errno);
  }
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) !=
      0) {
    return bind_failure(text, port, errno);
  }
  return socket;
}

Result<std::uint16_t> port_of(const Fd& socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return system_failure("read the port", errno);
  }
  return ntohs(storage.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(storage).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(storage).sin_port);
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(Loops& loops,
                                                       std::span<HttpHandler* const> handlers,
                                                       const Options& options) {
  CHECK(handlers.size() == loops.size());
  TRY(Address address, Address::parse(options.address, options.port));
  std::uint16_t port = options.port;
  // Sockets that share a port would share it with another weft of this user as well, and each would
  // get half of the other's requests. A socket that does not share finds out.
  if (port != 0) TRY_VOID(bound(address, options.address, port, Sharing::kAlone));

  std::vector<Fd> sockets;
  for (std::size_t i = 0; i < loops.size(); ++i) {
    TRY(Fd socket, bound(address, options.address, port, Sharing::kReused));
    if (port == 0) {
      TRY(port, port_of(socket));
      TRY(address, Address::parse(options.address, port));
    }
    sockets.push_back(std::move(socket));
  }
  for (const Fd& socket : sockets) {
    if (::listen(socket.get(), options.backlog) != 0) {
      return bind_failure(options.address, port, errno);
    }
  }

  std::unique_ptr<HttpServer> server(new HttpServer());
  server->loops_ = &loops;
  server->address_ = options.address;
  server->port_ = port;
  server->shared_ = std::make_shared<HttpShared>();
  server->shared_->limits = options.limits;
  auto protocol = address.storage.ss_family == AF_INET6 ? boost::asio::ip::tcp::v6()
                                                        : boost::asio::ip::tcp::v4();
  for (std::size_t i = 0; i < loops.size(); ++i) {
    server->listeners_.push_back(
        std::make_shared<HttpListener>(loops[i], *handlers[i], server->shared_));
  }
  loops.on_each([&](Loop&, std::size_t index) {
    server->listeners_[index]->open(std::move(sockets[index]), protocol);
  });
  return server;
}

HttpServer::~HttpServer() {
  loops_->on_each([&](Loop&, std::size_t index) { listeners_[index]->close(); });
  // A round later, what was cancelled has let go.
  loops_->on_each([&](Loop&, std::size_t index) { listeners_[index].reset(); });
}

std::string HttpServer::url() const {
  bool v6 = address_.find(':') != std::string::npos;
  return fmt::format("http://{}{}{}:{}/", v6 ? "[" : "", address_, v6 ? "]" : "", port_);
}

Result<void> HttpServer::drain(Deadline deadline) {
  loops_->on_each([&](Loop&, std::size_t index) { listeners_[index]->drain(); });
  auto left = shared_->gate.close_and_wait(deadline);
  if (!left) return std::unexpected(std::move(left).error().within("close the connections"));
  return {};
}

std::size_t HttpServer::connections() const {
  return shared_->connections.load(std::memory_order_relaxed);
}

}  // namespace weft
