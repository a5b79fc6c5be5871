#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

struct sockaddr;  // NOLINT(readability-identifier-naming): the kernel's

namespace weft {

// An IPv4 or IPv6 address without port and zone. A value.
class IpAddress {
 public:
  static IpAddress v4(std::array<std::uint8_t, 4> bytes);
  static IpAddress v6(std::array<std::uint8_t, 16> bytes);
  // "127.0.0.1" or "::1"; nothing for anything else, brackets, zones and short forms included.
  static std::optional<IpAddress> parse(std::string_view text);
  // Nothing for another family.
  static std::optional<IpAddress> of(const sockaddr& address);

  bool is_v4() const { return is_v4_; }
  unsigned bits() const { return is_v4_ ? 32 : 128; }
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  // The IPv4 address inside an IPv4-mapped one; otherwise the address itself.
  IpAddress unmapped() const;
  // Whether the first `prefix` bits are those of `base`, both of them unmapped.
  bool within(const IpAddress& base, unsigned prefix) const;
  std::string text() const;
  // As it stands in a URL: IPv6 in brackets.
  std::string url_text() const { return is_v4_ ? text() : "[" + text() + "]"; }

  bool operator==(const IpAddress&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};  // Of IPv4: the first four.
  bool is_v4_ = true;
};

// What an address is for. All but kPublic are reached only where an operator names them.
enum class AddressKind : std::uint8_t {
  kPublic,
  kLoopback,
  kPrivate,    // RFC 1918, unique local, site local.
  kShared,     // 100.64.0.0/10, between a provider and its customers.
  kLinkLocal,  // With it the metadata services of clouds.
  kMulticast,
  kUnspecified,
  kBroadcast,
  kReserved,  // Documentation, benchmarks, tunnels, and what nobody has assigned.
};

std::string_view to_string(AddressKind kind);

// The kind of an address. One that carries an IPv4 address (mapped, translated, 6to4, NAT64) is of
// that one's kind.
AddressKind kind_of(const IpAddress& address);

// The host of a URL or of a rule, in one spelling: a name in lower case without its last dot, or an
// address. Every form that resolvers take for an IPv4 address ("0x7f.1", "2130706433") is one here.
struct NetHost {
  std::string name;  // Empty for an address.
  std::optional<IpAddress> address;

  static Result<NetHost> parse(std::string_view text);
  // "localhost" and names below it.
  bool is_localhost() const;
  // As it stands in a URL.
  std::string url_text() const { return address ? address->url_text() : name; }
};

}  // namespace weft
