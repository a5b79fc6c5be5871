#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"
#include "node/discovery/datagram.h"
#include "node/discovery/interfaces.h"

namespace weft::node::discovery {

enum class IpFamily : std::uint8_t { kV4, kV6 };
std::string_view to_string(IpFamily family);

// What every datagram is received into: one byte longer than any that is read.
inline constexpr std::size_t kReceiveBytes = 1'201;

// A datagram as it came.
struct UdpDatagram {
  std::size_t bytes = 0;  // At most what there was room for: kReceiveBytes means too long.
  UdpEndpoint from = {};
  Arrival arrival = Arrival::kDirect;
};

// One UDP socket of one family that never waits. Owned by Multicast.
class UdpSocket {
 public:
  // On `port` of every address, with others that do the same; or, for 0, on one of its own.
  static Result<UdpSocket> open(IpFamily family, std::uint16_t port);

  Result<void> join(const Interface& interface);
  void leave(const Interface& interface);

  // To our group, over that interface.
  Result<void> send_to_group(BytesView datagram, const Interface& interface, std::uint16_t port);
  Result<void> send(BytesView datagram, const UdpEndpoint& to);
  // The next one that is there, if any. A failure to take one counts as none.
  std::optional<UdpDatagram> receive(std::span<std::uint8_t, kReceiveBytes> into);

  int fd() const { return fd_.get(); }

 private:
  UdpSocket(Fd fd, IpFamily family) : fd_(std::move(fd)), family_(family) {}

  Fd fd_;
  IpFamily family_;
};

}  // namespace weft::node::discovery
