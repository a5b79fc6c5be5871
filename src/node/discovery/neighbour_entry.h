#pragma once

// For neighbours.cc: what is kept of a neighbour, and what is read of a beacon before its
// signature.

#include <cstdint>
#include <optional>
#include <string_view>

#include "node/discovery/neighbours.h"

namespace weft::node::discovery {

struct Neighbours::Entry {
  Neighbour neighbour = {};
  Signature signature = {};  // Of its last beacon.
  IpAddress home = IpAddress::v4({});
  std::uint64_t boot_before = 0;  // Its own where it had no other.
  bool named = false;
  unsigned asked = 0;  // Since it was heard.
  Time asked_at = {};

  // Whether `beacon` says anything that others would want to know.
  bool differs(const Beacon& beacon) const;
  bool has_address(const IpAddress& address) const;
  // It was heard from there: the address is renewed, without its port, or added. Null where there
  // are enough that are in use.
  NeighbourAddress* add_address(const UdpEndpoint& from, Time now);
};

struct Neighbours::Head {
  SignedView view;
  Signature signature = {};
  std::string_view name = {};
  std::uint64_t boot = 0;
  std::uint64_t sequence = 0;
  UnixMs sent = 0;

  // Nothing where it is no beacon. Allocates nothing; borrows.
  static std::optional<Head> read(BytesView datagram);
  const PublicKey& signer() const { return view.signer(); }
};

}  // namespace weft::node::discovery
