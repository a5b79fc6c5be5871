#include "io/http/transport.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <array>

namespace weft {

std::string peer_text(const sockaddr_storage& peer) {
  std::array<char, INET6_ADDRSTRLEN> room{};
  if (peer.ss_family == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6&>(peer);
    inet_ntop(AF_INET6, &address.sin6_addr, room.data(), room.size());
    return fmt::format("[{}]:{}", room.data(), ntohs(address.sin6_port));
  }
  if (peer.ss_family == AF_UNIX) {
    return fmt::format("unix:{}", reinterpret_cast<const sockaddr_un&>(peer).sun_path);
  }
  const auto& address = reinterpret_cast<const sockaddr_in&>(peer);
  inet_ntop(AF_INET, &address.sin_addr, room.data(), room.size());
  return fmt::format("{}:{}", room.data(), ntohs(address.sin_port));
}

}  // namespace weft
