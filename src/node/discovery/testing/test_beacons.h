#pragma once

// For tests of discovery: keys, beacons and moments, the same in each run.

#include <chrono>
#include <cstdint>
#include <string>

#include "base/secret.h"
#include "node/discovery/datagram.h"
#include "node/object/beacon.h"

namespace weft::node::discovery::testing {

inline SigningKey test_key(std::uint32_t number) {
  std::string seed(SigningKey::kSeedBytes, 's');
  for (int i = 0; i < 4; ++i) seed[i] = static_cast<char>(number >> (8 * i));
  return *SigningKey::from_seed(Secret(std::move(seed)));
}

inline UdpEndpoint at(std::string_view address, std::uint16_t port = 40'000,
                      std::uint32_t scope = 0) {
  return {*IpAddress::parse(address), port, scope};
}

// So long after the tests' beginning, on both clocks.
inline Moment moment(std::chrono::microseconds since) {
  constexpr UnixMs kBegin = 1'700'000'000'000;
  return {Deadline::Clock::time_point(std::chrono::hours(1)) + since,
          kBegin + static_cast<UnixMs>(since.count() / 1000)};
}

// The beacon of a node that began to speak at the tests' beginning.
inline Beacon test_beacon(std::string name, std::uint64_t boot, std::uint64_t sequence,
                          const Moment& now) {
  return {.name = std::move(name),
          .boot = boot,
          .sequence = sequence,
          .sent = now.unix_ms,
          .port = 7420,
          .catalogue = Hash::of(as_bytes("catalogue")),
          .offers = "demo:math@1.0.0"};
}

}  // namespace weft::node::discovery::testing
