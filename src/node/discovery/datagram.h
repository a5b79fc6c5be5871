#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/net_address.h"
#include "node/object/request.h"

namespace weft::node::discovery {

inline constexpr std::uint16_t kDiscoveryPort = 7420;
inline constexpr std::string_view kGroupV4 = "239.255.74.20";
inline constexpr std::string_view kGroupV6 = "ff02::7420";
// A query is at least so long, and its answer at most so many times as long: whoever sends one with
// a false source address gains nothing by it.
inline constexpr std::size_t kQueryBytes = 400;
inline constexpr std::size_t kAnswerFactorMax = 3;

// Where a datagram comes from or goes to. A value.
struct UdpEndpoint {
  IpAddress address = IpAddress::v4({});
  std::uint16_t port = 0;
  // The index of the interface, for IPv6 addresses that mean something on their link alone; else 0.
  std::uint32_t scope = 0;

  // "192.0.2.1:7420", "[fe80::1%3]:7420".
  std::string text() const;
  friend bool operator==(const UdpEndpoint&, const UdpEndpoint&) = default;
};

// Whether a datagram came to a group or to this socket's own address.
enum class Arrival : std::uint8_t { kGroup, kDirect };

// One moment, on the clock that never jumps and on the one that others have too.
struct Moment {
  Deadline::Clock::time_point steady = {};
  UnixMs unix_ms = 0;

  static Moment now();
};

// The datagram that asks for a beacon.
Bytes query_datagram();
bool is_query(BytesView datagram);

}  // namespace weft::node::discovery
