#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/net_address.h"

namespace weft::node::discovery {

// More than so many are not used, those with the lowest index are.
inline constexpr std::size_t kInterfacesMax = 32;

// An interface that can multicast now. A value.
struct Interface {
  std::uint32_t index = 0;
  std::string name = {};
  // What IPv4 is sent from; nothing where it has no such address.
  std::optional<IpAddress> v4 = {};
  bool v6 = false;  // Has an IPv6 address, and is not the loopback interface.

  friend bool operator==(const Interface&, const Interface&) = default;
};

struct InterfaceChoice {
  // By name; none: every one that is up and can multicast.
  std::vector<std::string> names = {};
  // The loopback interface too, which says of itself that it cannot.
  bool loopback = false;
};

// Those of this machine (of this network namespace), by index.
Result<std::vector<Interface>> interfaces(const InterfaceChoice& choice);

}  // namespace weft::node::discovery
