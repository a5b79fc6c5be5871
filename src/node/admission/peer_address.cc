#include "node/admission/peer_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>

namespace weft::node {
namespace {

constexpr std::size_t kMappedBytes = 12;  // Before an IPv4 address: ten zeros, ff, ff.
constexpr std::size_t kNetworkBytes = 8;
constexpr std::size_t kTextMax = 64;

bool is_v4(const PeerAddress& peer) {
  return std::ranges::all_of(std::span(peer.bytes).first(10),
                             [](auto byte) { return byte == 0; }) &&
         peer.bytes[10] == 0xff && peer.bytes[11] == 0xff;
}

}  // namespace

PeerAddress PeerAddress::v4(std::array<std::uint8_t, 4> bytes) {
  PeerAddress peer;
  peer.bytes[10] = peer.bytes[11] = 0xff;
  std::ranges::copy(bytes, peer.bytes.begin() + kMappedBytes);
  return peer;
}

Result<PeerAddress> PeerAddress::parse(std::string_view text) {
  // What is behind a % says which link, not who.
  std::string address(text.substr(0, std::min(text.find('%'), kTextMax)));
  std::array<std::uint8_t, 4> four{};
  if (inet_pton(AF_INET, address.c_str(), four.data()) == 1) return v4(four);
  PeerAddress peer;
  if (inet_pton(AF_INET6, address.c_str(), peer.bytes.data()) == 1) return peer;
  return failure(Errc::kInvalid, fmt::format("\"{}\" is no IP address", address));
}

PeerAddress PeerAddress::network() const {
  bool on_link = bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
  if (is_v4(*this) || on_link) return *this;
  PeerAddress network = *this;
  std::ranges::fill(std::span(network.bytes).subspan(kNetworkBytes), 0);
  return network;
}

}  // namespace weft::node
