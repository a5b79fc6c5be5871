#include "base/net_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace weft {
namespace {

constexpr std::size_t kNameMax = 253;
constexpr std::size_t kLabelMax = 63;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// One part of an IPv4 address as inet_aton reads it: decimal, octal or hexadecimal.
std::optional<std::uint64_t> number(std::string_view text) {
  unsigned base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
    if (text.empty()) return 0;
  } else if (text.size() > 1 && text.front() == '0') {
    base = 8;
    text.remove_prefix(1);
  }
  if (text.empty() || text.size() > 20) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : text) {
    unsigned digit = 99;
    if (is_digit(c)) digit = static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') digit = static_cast<unsigned>(c - 'A') + 10;
    if (digit >= base) return std::nullopt;
    value = value * base + digit;
    if (value > UINT32_MAX) return std::nullopt;
  }
  return value;
}

// Whether a name's last label makes it an IPv4 address or nothing at all.
bool ends_in_number(std::string_view text) {
  std::string_view last = text.substr(text.rfind('.') + 1);
  bool digits = !last.empty() && std::ranges::all_of(last, is_digit);
  return digits || ((last.starts_with("0x") || last.starts_with("0X")) && number(last));
}

std::optional<IpAddress> loose_v4(std::string_view text) {
  std::array<std::uint64_t, 4> parts{};
  std::size_t count = 0;
  for (;;) {
    std::size_t dot = text.find('.');
    auto part = number(text.substr(0, dot));
    if (!part || count == parts.size()) return std::nullopt;
    parts[count++] = *part;
    if (dot == std::string_view::npos) break;
    text.remove_prefix(dot + 1);
  }
  // The last part fills what the others leave.
  std::uint64_t value = parts[count - 1];
  if (value >> (8 * (5 - count)) != 0) return std::nullopt;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    if (parts[i] > 255) return std::nullopt;
    value |= parts[i] << (8 * (3 - i));
  }
  return IpAddress::v4({static_cast<std::uint8_t>(value >> 24),
                        static_cast<std::uint8_t>(value >> 16),
                        static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
}

struct Range {
  Range(std::string_view text, unsigned bits, AddressKind what)
      : base(*IpAddress::parse(text)), prefix(bits), kind(what) {}

  IpAddress base;
  unsigned prefix;
  AddressKind kind;
};

// In the order of looking: a smaller range stands before the one around it.
const std::vector<Range>& v4_ranges() {
  static const std::vector<Range> ranges = {
      {"0.0.0.0", 32, AddressKind::kUnspecified},
      {"0.0.0.0", 8, AddressKind::kReserved},
      {"10.0.0.0", 8, AddressKind::kPrivate},
      {"100.64.0.0", 10, AddressKind::kShared},
      {"127.0.0.0", 8, AddressKind::kLoopback},
      // A cloud's service on each of its machines, in the middle of the public addresses.
      {"168.63.129.16", 32, AddressKind::kLinkLocal},
      {"169.254.0.0", 16, AddressKind::kLinkLocal},
      {"172.16.0.0", 12, AddressKind::kPrivate},
      {"192.0.0.0", 24, AddressKind::kReserved},
      {"192.0.2.0", 24, AddressKind::kReserved},
      {"192.88.99.0", 24, AddressKind::kReserved},
      {"192.168.0.0", 16, AddressKind::kPrivate},
      {"198.18.0.0", 15, AddressKind::kReserved},
      {"198.51.100.0", 24, AddressKind::kReserved},
      {"203.0.113.0", 24, AddressKind::kReserved},
      {"224.0.0.0", 4, AddressKind::kMulticast},
      {"255.255.255.255", 32, AddressKind::kBroadcast},
      {"240.0.0.0", 4, AddressKind::kReserved},
  };
  return ranges;
}

const std::vector<Range>& v6_ranges() {
  static const std::vector<Range> ranges = {
      {"::", 128, AddressKind::kUnspecified},     {"::1", 128, AddressKind::kLoopback},
      {"64:ff9b:1::", 48, AddressKind::kPrivate}, {"2001::", 23, AddressKind::kReserved},
      {"2001:db8::", 32, AddressKind::kReserved}, {"3fff::", 20, AddressKind::kReserved},
      {"fc00::", 7, AddressKind::kPrivate},       {"fe80::", 10, AddressKind::kLinkLocal},
      {"fec0::", 10, AddressKind::kPrivate},      {"ff00::", 8, AddressKind::kMulticast},
  };
  return ranges;
}

// Where IPv6 addresses carry an IPv4 one: the prefix, and the byte it begins at.
struct Carrier {
  IpAddress base;
  unsigned prefix;
  std::size_t at;
};
const std::vector<Carrier>& carriers() {
  static const std::vector<Carrier> all = {
      {*IpAddress::parse("::ffff:0:0"), 96, 12},    // mapped
      {*IpAddress::parse("::ffff:0:0:0"), 96, 12},  // translated
      {*IpAddress::parse("64:ff9b::"), 96, 12},     // NAT64
      {*IpAddress::parse("2002::"), 16, 2},         // 6to4
  };
  return all;
}

template <std::size_t N>
std::array<std::uint8_t, N> cut(const IpAddress& address, std::size_t at) {
  std::array<std::uint8_t, N> out{};
  std::copy_n(address.bytes().begin() + static_cast<std::ptrdiff_t>(at), N, out.begin());
  return out;
}

// Compares bits as they are, without looking inside mapped addresses.
bool shares_prefix(const IpAddress& a, const IpAddress& b, unsigned prefix) {
  if (a.is_v4() != b.is_v4() || prefix > a.bits()) return false;
  std::size_t whole = prefix / 8;
  if (!std::equal(a.bytes().begin(), a.bytes().begin() + static_cast<std::ptrdiff_t>(whole),
                  b.bytes().begin())) {
    return false;
  }
  unsigned rest = prefix % 8;
  return rest == 0 || ((a.bytes()[whole] ^ b.bytes()[whole]) >> (8 - rest)) == 0;
}

}  // namespace

IpAddress IpAddress::v4(std::array<std::uint8_t, 4> bytes) {
  IpAddress out;
  std::ranges::copy(bytes, out.bytes_.begin());
  return out;
}

IpAddress IpAddress::v6(std::array<std::uint8_t, 16> bytes) {
  IpAddress out;
  out.bytes_ = bytes;
  out.is_v4_ = false;
  return out;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  std::string copy(text);
  std::array<std::uint8_t, 4> four{};
  if (::inet_pton(AF_INET, copy.c_str(), four.data()) == 1) return v4(four);
  std::array<std::uint8_t, 16> sixteen{};
  if (::inet_pton(AF_INET6, copy.c_str(), sixteen.data()) == 1) return v6(sixteen);
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::of(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in&>(address).sin_addr, 4);
    return v4(bytes);
  }
  if (address.sa_family == AF_INET6) {
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, 16);
    return v6(bytes);
  }
  return std::nullopt;
}

IpAddress IpAddress::unmapped() const {
  static const IpAddress mapped = *parse("::ffff:0:0");
  return !is_v4_ && shares_prefix(*this, mapped, 96) ? v4(cut<4>(*this, 12)) : *this;
}

bool IpAddress::within(const IpAddress& base, unsigned prefix) const {
  IpAddress inner = base.unmapped();
  // A prefix of a mapped base counts the 96 bits in front.
  if (inner.is_v4() && !base.is_v4()) prefix = prefix < 96 ? 0 : prefix - 96;
  return shares_prefix(unmapped(), inner, prefix);
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> out{};
  ::inet_ntop(is_v4_ ? AF_INET : AF_INET6, bytes_.data(), out.data(), out.size());
  return out.data();
}

std::string_view to_string(AddressKind kind) {
  switch (kind) {
    case AddressKind::kPublic: return "public";
    case AddressKind::kLoopback: return "loopback";
    case AddressKind::kPrivate: return "private";
    case AddressKind::kShared: return "shared";
    case AddressKind::kLinkLocal: return "link-local";
    case AddressKind::kMulticast: return "multicast";
    case AddressKind::kUnspecified: return "unspecified";
    case AddressKind::kBroadcast: return "broadcast";
    case AddressKind::kReserved: return "reserved";
  }
  return "unknown";
}

AddressKind kind_of(const IpAddress& address) {
  if (address.is_v4()) {
    for (const Range& range : v4_ranges()) {
      if (shares_prefix(address, range.base, range.prefix)) return range.kind;
    }
    return AddressKind::kPublic;
  }
  for (const Carrier& carrier : carriers()) {
    if (shares_prefix(address, carrier.base, carrier.prefix)) {
      return kind_of(IpAddress::v4(cut<4>(address, carrier.at)));
    }
  }
  for (const Range& range : v6_ranges()) {
    if (shares_prefix(address, range.base, range.prefix)) return range.kind;
  }
  // An interface named after an IPv4 address (ISATAP) leads to that one.
  auto marker = cut<4>(address, 8);
  if ((marker[0] & 0xfdU) == 0 && marker[1] == 0 && marker[2] == 0x5e && marker[3] == 0xfe) {
    return kind_of(IpAddress::v4(cut<4>(address, 12)));
  }
  static const IpAddress global = *IpAddress::parse("2000::");
  return shares_prefix(address, global, 3) ? AddressKind::kPublic : AddressKind::kReserved;
}

Result<NetHost> NetHost::parse(std::string_view text) {
  auto wrong = [&](std::string_view why) {
    return failure(Errc::kInvalid, fmt::format("'{}' is no host: {}", text, why));
  };
  NetHost host;
  std::string_view rest = text;
  if (rest.starts_with('[')) {
    if (!rest.ends_with(']')) return wrong("it begins with [ and does not end with ]");
    host.address = IpAddress::parse(rest.substr(1, rest.size() - 2));
    if (!host.address || host.address->is_v4()) return wrong("no IPv6 address is in the brackets");
    return host;
  }
  if (rest.ends_with('.')) rest.remove_suffix(1);
  if (rest.empty()) return wrong("it is empty");
  if (ends_in_number(rest)) {
    host.address = loose_v4(rest);
    if (!host.address) return wrong("it ends in a number and is no IPv4 address");
    return host;
  }
  if (rest.size() > kNameMax) return wrong("a name has at most 253 characters");
  std::size_t label = 0;
  for (char c : rest) {
    if (c == '.') {
      if (label == 0) return wrong("a label is empty");
      label = 0;
      continue;
    }
    char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    bool fits = (lower >= 'a' && lower <= 'z') || is_digit(lower) || lower == '-' || lower == '_';
    if (!fits) return wrong("letters, digits, hyphens and dots make a name (others as punycode)");
    if (++label > kLabelMax) return wrong("a label has at most 63 characters");
  }
  if (label == 0) return wrong("a label is empty");
  host.name = rest;
  for (char& c : host.name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return host;
}

bool NetHost::is_localhost() const {
  return name == "localhost" || name.ends_with(".localhost");
}

}  // namespace weft
