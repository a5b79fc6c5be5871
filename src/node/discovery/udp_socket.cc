#include "node/discovery/udp_socket.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "node/discovery/multicast.h"

namespace weft::node::discovery {
namespace {

// Newer than Debian's headers know it.
#ifndef IPV6_MULTICAST_ALL
constexpr int IPV6_MULTICAST_ALL = 29;
#endif

Result<void> set(int fd, int level, int option, int value, std::string_view doing) {
  if (setsockopt(fd, level, option, &value, sizeof value) == 0) return {};
  return system_failure(doing, errno);
}

in_addr in_addr_of(const IpAddress& address) {
  in_addr to{};
  std::memcpy(&to, address.bytes().data(), sizeof to);
  return to;
}

// A socket address of either family, as the system wants it.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress to_system(const UdpEndpoint& endpoint) {
  SocketAddress to;
  if (endpoint.address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    v4.sin_addr = in_addr_of(endpoint.address);
    to.size = sizeof v4;
    std::memcpy(&to.storage, &v4, sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    v6.sin6_scope_id = endpoint.scope;
    std::memcpy(&v6.sin6_addr, endpoint.address.bytes().data(), sizeof v6.sin6_addr);
    to.size = sizeof v6;
    std::memcpy(&to.storage, &v6, sizeof v6);
  }
  return to;
}

std::optional<UdpEndpoint> from_system(const SocketAddress& from) {
  UdpEndpoint endpoint;
  if (from.storage.ss_family == AF_INET && from.size >= sizeof(sockaddr_in)) {
    sockaddr_in v4{};
    std::memcpy(&v4, &from.storage, sizeof v4);
    endpoint.port = ntohs(v4.sin_port);
  } else if (from.storage.ss_family == AF_INET6 && from.size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &from.storage, sizeof v6);
    endpoint.port = ntohs(v6.sin6_port);
    if (IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr)) endpoint.scope = v6.sin6_scope_id;
  }
  auto address = IpAddress::of(reinterpret_cast<const sockaddr&>(from.storage));
  if (!address || endpoint.port == 0) return std::nullopt;
  endpoint.address = *address;
  return endpoint;
}

// Where a datagram was sent to, of what the system tells beside it.
Arrival arrival_of(msghdr& message) {
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each; each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(each), sizeof info);
      if (IN_MULTICAST(ntohl(info.ipi_addr.s_addr))) return Arrival::kGroup;
    }
    if (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(each), sizeof info);
      if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) return Arrival::kGroup;
    }
  }
  return Arrival::kDirect;
}

Result<void> prepare(int fd, IpFamily family, std::uint16_t port) {
  if (port != 0) {
    TRY_VOID(set(fd, SOL_SOCKET, SO_REUSEADDR, 1, "sharing the port"));
    TRY_VOID(set(fd, SOL_SOCKET, SO_REUSEPORT, 1, "sharing the port"));
  }
  // Less than that is no failure.
  static_cast<void>(set(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBufferBytes, ""));
  if (family == IpFamily::kV4) {
    // Not what another socket of the machine has joined.
    TRY_VOID(set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0, "limiting the groups"));
    TRY_VOID(set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1, "limiting the hops"));
    TRY_VOID(set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1, "hearing the machine itself"));
    return set(fd, IPPROTO_IP, IP_PKTINFO, 1, "asking for destinations");
  }
  TRY_VOID(set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "leaving IPv4 to its own socket"));
  static_cast<void>(set(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0, ""));
  TRY_VOID(set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1, "limiting the hops"));
  TRY_VOID(set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1, "hearing the machine itself"));
  return set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "asking for destinations");
}

}  // namespace

std::string_view to_string(IpFamily family) {
  return family == IpFamily::kV4 ? "IPv4" : "IPv6";
}

Result<UdpSocket> UdpSocket::open(IpFamily family, std::uint16_t port) {
  int domain = family == IpFamily::kV4 ? AF_INET : AF_INET6;
  Fd fd(socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return system_failure("opening a UDP socket", errno);
  TRY_VOID(prepare(fd.get(), family, port));
  UdpEndpoint any{.port = port};
  if (family == IpFamily::kV6) any.address = IpAddress::v6({});
  SocketAddress here = to_system(any);
  if (bind(fd.get(), here.get(), here.size) != 0) {
    return system_failure(fmt::format("taking UDP port {}", port), errno);
  }
  return UdpSocket(std::move(fd), family);
}

Result<void> UdpSocket::join(const Interface& interface) {
  int done = 0;
  if (family_ == IpFamily::kV4) {
    ip_mreqn group{};
    group.imr_multiaddr = in_addr_of(*IpAddress::parse(kGroupV4));
    group.imr_ifindex = static_cast<int>(interface.index);
    done = setsockopt(fd_.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group);
  } else {
    ipv6_mreq group{};
    std::memcpy(&group.ipv6mr_multiaddr, IpAddress::parse(kGroupV6)->bytes().data(), 16);
    group.ipv6mr_interface = interface.index;
    done = setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group);
  }
  if (done == 0 || errno == EADDRINUSE) return {};
  return system_failure("joining the group", errno);
}

void UdpSocket::leave(const Interface& interface) {
  // What fails is gone with its interface.
  if (family_ == IpFamily::kV4) {
    ip_mreqn group{};
    group.imr_multiaddr = in_addr_of(*IpAddress::parse(kGroupV4));
    group.imr_ifindex = static_cast<int>(interface.index);
    setsockopt(fd_.get(), IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group);
  } else {
    ipv6_mreq group{};
    std::memcpy(&group.ipv6mr_multiaddr, IpAddress::parse(kGroupV6)->bytes().data(), 16);
    group.ipv6mr_interface = interface.index;
    setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_LEAVE_GROUP, &group, sizeof group);
  }
}

Result<void> UdpSocket::send_to_group(BytesView datagram, const Interface& interface,
                                      std::uint16_t port) {
  if (family_ == IpFamily::kV6) {
    return send(datagram, {*IpAddress::parse(kGroupV6), port, interface.index});
  }
  CHECK(interface.v4);
  SocketAddress to = to_system({*IpAddress::parse(kGroupV4), port});
  iovec part{const_cast<std::uint8_t*>(datagram.data()), datagram.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
  msghdr message{.msg_name = to.get(),
                 .msg_namelen = to.size,
                 .msg_iov = &part,
                 .msg_iovlen = 1,
                 .msg_control = control.data(),
                 .msg_controllen = control.size(),
                 .msg_flags = 0};
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = IPPROTO_IP;
  head->cmsg_type = IP_PKTINFO;
  head->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
  in_pktinfo info{};
  info.ipi_ifindex = static_cast<int>(interface.index);
  info.ipi_spec_dst = in_addr_of(*interface.v4);
  std::memcpy(CMSG_DATA(head), &info, sizeof info);
  if (sendmsg(fd_.get(), &message, MSG_NOSIGNAL) >= 0) return {};
  return system_failure("sending to the group", errno);
}

Result<void> UdpSocket::send(BytesView datagram, const UdpEndpoint& endpoint) {
  SocketAddress to = to_system(endpoint);
  if (sendto(fd_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL, to.get(), to.size) >= 0) {
    return {};
  }
  return system_failure("sending a datagram", errno);
}

std::optional<UdpDatagram> UdpSocket::receive(std::span<std::uint8_t, kReceiveBytes> into) {
  SocketAddress from;
  iovec part{into.data(), into.size()};
  alignas(cmsghdr) std::array<char, 256> control{};
  msghdr message{.msg_name = from.get(),
                 .msg_namelen = sizeof from.storage,
                 .msg_iov = &part,
                 .msg_iovlen = 1,
                 .msg_control = control.data(),
                 .msg_controllen = control.size(),
                 .msg_flags = 0};
  ssize_t bytes = recvmsg(fd_.get(), &message, 0);
  if (bytes < 0) return std::nullopt;
  from.size = message.msg_namelen;
  // A source that is none stays the unspecified address: nothing is believed of it, nor answered.
  return UdpDatagram{.bytes = static_cast<std::size_t>(bytes),
                     .from = from_system(from).value_or(UdpEndpoint{}),
                     .arrival = arrival_of(message)};
}

}  // namespace weft::node::discovery
