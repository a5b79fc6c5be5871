#include "io/http/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
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
  // It is of IPv6, and leaves IPv4 on its port to another one.
  bool beside_v4 = false;

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
  if (address.beside_v4) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
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

namespace {

// Whether somebody answers at the socket that is there.
bool is_served(const sockaddr_un& at) {
  Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) == 0;
}

// The same for a Unix socket: one queue, from which every loop takes.
Result<std::vector<Fd>> listening_at(const std::string& path, std::size_t loops, int backlog) {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  if (path.size() >= sizeof(at.sun_path)) {
    return failure(Errc::kInvalid, fmt::format("{}: the path of a socket has at most {} bytes",
                                               path, sizeof(at.sun_path) - 1));
  }
  std::memcpy(at.sun_path, path.data(), path.size());
  struct stat there{};
  if (::lstat(path.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode)) {
      return failure(Errc::kConflict, fmt::format("{} is there, and no socket: remove it, or name "
                                                  "another path",
                                                  path));
    }
    if (is_served(at)) {
      return failure(Errc::kConflict, fmt::format("{} is taken: stop what listens there", path));
    }
    ::unlink(path.c_str());
  }
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return system_failure("make a socket", errno);
  // Nobody connects before the mode is right: it listens after.
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) != 0 ||
      ::chmod(path.c_str(), 0660) != 0 || ::listen(socket.get(), backlog) != 0) {
    return system_failure(fmt::format("listen at {}", path), errno);
  }
  std::vector<Fd> sockets;
  for (std::size_t i = 1; i < loops; ++i) {
    sockets.emplace_back(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
    if (!sockets.back()) return system_failure(fmt::format("listen at {}", path), errno);
  }
  sockets.push_back(std::move(socket));
  return sockets;
}

bool is_v6(const HttpAddress& address) {
  return address.address.find(':') != std::string::npos;
}

// The listening sockets of one address, one a loop. Sets the port that was free.
Result<std::vector<Fd>> listening(HttpAddress& wanted, bool beside_v4, std::size_t loops,
                                  int backlog) {
  if (!wanted.path.empty()) return listening_at(wanted.path, loops, backlog);
  TRY(Address address, Address::parse(wanted.address, wanted.port));
  address.beside_v4 = beside_v4;
  // Sockets that share a port would share it with another weft of this user as well, and each would
  // get half of the other's requests. A socket that does not share finds out.
  if (wanted.port != 0) TRY_VOID(bound(address, wanted.address, wanted.port, Sharing::kAlone));
  std::vector<Fd> sockets;
  for (std::size_t i = 0; i < loops; ++i) {
    TRY(Fd socket, bound(address, wanted.address, wanted.port, Sharing::kReused));
    if (wanted.port == 0) {
      TRY(wanted.port, port_of(socket));
      TRY(address, Address::parse(wanted.address, wanted.port));
      address.beside_v4 = beside_v4;
    }
    sockets.push_back(std::move(socket));
  }
  for (const Fd& socket : sockets) {
    if (::listen(socket.get(), backlog) != 0) {
      return bind_failure(wanted.address, wanted.port, errno);
    }
  }
  return sockets;
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(Loops& loops,
                                                       std::span<HttpHandler* const> handlers,
                                                       Options options) {
  CHECK(handlers.size() == loops.size() && !options.addresses.empty());
  std::vector<std::vector<Fd>> sockets;
  for (HttpAddress& each : options.addresses) {
    bool beside_v4 = is_v6(each) && std::ranges::any_of(options.addresses, [&](auto& other) {
                       return other.path.empty() && !is_v6(other) && other.port == each.port;
                     });
    TRY(std::vector<Fd> made, listening(each, beside_v4, loops.size(), options.backlog));
    sockets.push_back(std::move(made));
  }

  std::unique_ptr<HttpServer> server(new HttpServer());
  server->loops_ = &loops;
  server->addresses_ = std::move(options.addresses);
  server->shared_ = std::make_shared<HttpShared>();
  server->shared_->limits = options.limits;
  for (std::size_t i = 0; i < loops.size(); ++i) {
    for (const HttpAddress& each : server->addresses_) {
      server->listeners_.push_back(
          std::make_shared<HttpListener>(loops[i], *handlers[i], server->shared_, each.tls));
    }
  }
  std::size_t count = server->addresses_.size();
  std::vector<Result<void>> opened(loops.size());
  loops.on_each([&](Loop&, std::size_t index) {
    for (std::size_t i = 0; i < count && opened[index]; ++i) {
      bool v6 = is_v6(server->addresses_[i]);
      opened[index] = server->listeners_[index * count + i]->open(
          std::move(sockets[i][index]),
          v6 ? boost::asio::ip::tcp::v6() : boost::asio::ip::tcp::v4());
    }
  });
  for (Result<void>& each : opened) TRY_VOID(std::move(each));
  return server;
}

void HttpServer::on_listeners(const std::function<void(std::shared_ptr<HttpListener>&)>& work) {
  loops_->on_each([&](Loop&, std::size_t index) {
    std::size_t count = addresses_.size();
    for (std::size_t i = 0; i < count; ++i) work(listeners_[index * count + i]);
  });
}

HttpServer::~HttpServer() {
  on_listeners([](std::shared_ptr<HttpListener>& each) { each->close(); });
  // A round later, what was cancelled has let go.
  on_listeners([](std::shared_ptr<HttpListener>& each) { each.reset(); });
  for (const HttpAddress& each : addresses_) {
    if (!each.path.empty()) ::unlink(each.path.c_str());
  }
}

std::string HttpServer::url(std::size_t index) const {
  const auto& [address, port, tls, path] = addresses_[index];
  if (!path.empty()) return fmt::format("unix:{}", path);
  bool v6 = address.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}/", tls == nullptr ? "http" : "https", v6 ? "[" : "", address,
                     v6 ? "]" : "", port);
}

Result<void> HttpServer::drain(Deadline deadline) {
  on_listeners([](std::shared_ptr<HttpListener>& each) { each->drain(); });
  auto left = shared_->gate.close_and_wait(deadline);
  if (!left) return std::unexpected(std::move(left).error().within("close the connections"));
  return {};
}

std::size_t HttpServer::connections() const {
  return shared_->connections.load(std::memory_order_relaxed);
}

}  // namespace weft
