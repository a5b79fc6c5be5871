#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/bytes.h"
#include "base/error.h"
#include "node/discovery/datagram.h"
#include "node/discovery/interfaces.h"

namespace weft {
class Loop;
}

namespace weft::node::discovery {

// How often the machine's interfaces are looked at, and what failed is tried again.
inline constexpr std::chrono::seconds kRescanEvery{3};
// Datagrams of a socket that are read before others on the loop have their turn.
inline constexpr std::size_t kReceivePerTurn = 64;
// Asked of the system, which may give less: the beacons of a thousand nodes at once.
inline constexpr int kReceiveBufferBytes = 1 << 20;

// The sockets of discovery: one in the groups and on their port, which all daemons of a machine
// share, and one on a port of its own, which everything is sent from; of each family.
//
// Made, used and destroyed on its loop's thread. `received` is called there, never from inside a
// call; it may not destroy this. What cannot be sent or joined is told in the log once, and tried
// again.
class Multicast {
 public:
  struct Options {
    std::uint16_t port = kDiscoveryPort;
    InterfaceChoice interfaces = {};
    bool v4 = true;
    bool v6 = true;
  };
  using Received =
      std::function<void(BytesView datagram, const UdpEndpoint& from, Arrival arrival)>;

  // Fails where neither family has its sockets. That there is no interface yet is no failure.
  static Result<std::unique_ptr<Multicast>> open(Loop& loop, Options options, Received received);
  ~Multicast();
  Multicast(const Multicast&) = delete;

  // To both groups on every interface. To how many of them it went.
  std::size_t send_to_groups(BytesView datagram);
  // Whether it went.
  bool send(BytesView datagram, const UdpEndpoint& to);

  // Interfaces, counted in each family, whose group is joined.
  std::size_t joined() const;

 private:
  struct Impl;
  explicit Multicast(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weft::node::discovery
