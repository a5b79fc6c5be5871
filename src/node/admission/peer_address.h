#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace weft::node {

// Where a request came from, without its port: an IPv6 address, or an IPv4 one as ::ffff:a.b.c.d.
struct PeerAddress {
  std::array<std::uint8_t, 16> bytes{};

  // "192.0.2.7", "2001:db8::1", "fe80::1%eth0". kInvalid otherwise.
  static Result<PeerAddress> parse(std::string_view text);
  static PeerAddress v4(std::array<std::uint8_t, 4> bytes);
  static PeerAddress v6(const std::array<std::uint8_t, 16>& bytes) { return {bytes}; }

  // What one machine has for the asking is one: a /64 of IPv6, except on the link itself.
  PeerAddress network() const;

  friend bool operator==(const PeerAddress&, const PeerAddress&) = default;
};

}  // namespace weft::node
