#pragma once

#include <cstdint>
#include <string>

#include "node/object/request.h"

namespace weft::node {

// A datagram of ours, whole: it fits any link without being cut.
inline constexpr std::size_t kDatagramBytesMax = 1'200;
inline constexpr std::size_t kNodeNameMax = 64;
// Of what a node offers, as much as a beacon has room for; all of it is told to who asks.
inline constexpr std::size_t kBeaconOffersMax = 700;

// What a node says of itself to everybody, every so often.
struct Beacon {
  std::string name = {};
  std::uint64_t boot = 0;      // By chance at each start: with it `sequence` begins anew.
  std::uint64_t sequence = 0;  // Grows with each beacon of a boot.
  UnixMs sent = 0;
  std::uint16_t port = 0;  // Of its TLS; the address is the datagram's.
  // Of the catalogue that it tells who asks: another one when anything in it changes.
  Hash catalogue = {};
  // Names of services and libraries, one a line, as many as fit.
  std::string offers = {};
  bool leaving = false;  // It stops: whoever hears it need not wait for silence.

  friend bool operator==(const Beacon&, const Beacon&) = default;
};

Bytes sign(const Beacon& beacon, const SigningKey& node);
Result<Beacon> read_beacon(const SignedView& view);

}  // namespace weft::node
