#include "base/net_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace weft {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;
// Of one component, of each kind.
constexpr std::size_t kRulesMax = 1'000;

std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t port = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (problem != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

// Cuts "host:port" at the port's colon, which no bracketed address has inside.
std::size_t port_colon(std::string_view text) {
  std::size_t colon = text.rfind(':');
  std::size_t bracket = text.rfind(']');
  if (colon == std::string_view::npos) return colon;
  return bracket != std::string_view::npos && colon < bracket ? std::string_view::npos : colon;
}

// The path without its query, as servers may read it: dots, slashes and backslashes decoded.
std::string plain_path(std::string_view path) {
  path = path.substr(0, path.find_first_of("?#"));
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%' && i + 2 < path.size()) {
      unsigned value = 0;
      auto [end, problem] = std::from_chars(&path[i + 1], &path[i + 1] + 2, value, 16);
      bool whole = problem == std::errc() && end == &path[i + 1] + 2;
      if (whole && (value == '.' || value == '/' || value == '\\' || value == '%')) {
        c = static_cast<char>(value);
        i += 2;
      }
    }
    out += c == '\\' ? '/' : c;
  }
  return out;
}

// Whether a segment leads out of its folder; what follows a semicolon is a parameter to some.
bool climbs(std::string_view path) {
  while (!path.empty()) {
    std::size_t slash = path.find('/');
    std::string_view segment = path.substr(0, slash);
    segment = segment.substr(0, segment.find(';'));
    if (segment == "." || segment == "..") return true;
    if (slash == std::string_view::npos) return false;
    path.remove_prefix(slash + 1);
  }
  return false;
}

bool path_within(std::string_view prefix, std::string_view path) {
  if (prefix.empty() || prefix == "/") return true;
  // Decoded until nothing changes: "%252e" is a dot to who decodes twice.
  std::string plain = plain_path(path);
  for (std::string again = plain_path(plain); again != plain; again = plain_path(plain)) {
    plain = std::move(again);
  }
  if (climbs(plain)) return false;
  std::string_view raw = path.substr(0, path.find_first_of("?#"));
  if (!raw.starts_with(prefix)) return false;
  return prefix.ends_with('/') || raw.size() == prefix.size() || raw[prefix.size()] == '/';
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<HttpTarget> HttpTarget::parse(std::string_view scheme, std::string_view authority,
                                     std::string_view path) {
  HttpTarget target;
  target.tls = scheme == "https";
  if (!target.tls && scheme != "http") {
    return failure(Errc::kInvalid,
                   fmt::format("the scheme '{}' is neither http nor https", scheme));
  }
  if (authority.find('@') != std::string_view::npos) {
    return failure(Errc::kInvalid, "a URL with a user's name in it is not sent");
  }
  target.port = target.tls ? kHttpsPort : kHttpPort;
  std::size_t colon = port_colon(authority);
  if (colon != std::string_view::npos) {
    std::string_view digits = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
    if (!digits.empty()) {
      auto port = port_of(digits);
      if (!port) return failure(Errc::kInvalid, fmt::format("'{}' is no port", digits));
      target.port = *port;
    }
  }
  TRY(target.host, NetHost::parse(authority));
  bool plain = std::ranges::all_of(path, [](char c) { return c > ' ' && c < '\x7f'; });
  if (!plain) return failure(Errc::kInvalid, "a URL's path has a blank or a byte that is no ASCII");
  if (path.find('#') != std::string_view::npos) path = path.substr(0, path.find('#'));
  if (!path.starts_with('/')) target.path = "/";
  target.path += path;
  return target;
}

std::string HttpTarget::origin() const {
  std::string out = fmt::format("{}://{}", tls ? "https" : "http", host.url_text());
  if (port != (tls ? kHttpsPort : kHttpPort)) out += fmt::format(":{}", port);
  return out;
}

Result<NetRules::Host> NetRules::Host::parse(std::string_view text) {
  Host out;
  if (text == "*") return out;
  if (text.starts_with("*.")) {
    TRY(NetHost below, NetHost::parse(text.substr(2)));
    if (below.address) return failure(Errc::kInvalid, "a wildcard stands before a name");
    out.kind = Kind::kBelow;
    out.name = below.name;
    return out;
  }
  // Addresses: 10.0.0.0/8, with or without brackets, and 10.*.*.*.
  std::string_view inner = text;
  if (inner.starts_with('[') && inner.ends_with(']')) inner = inner.substr(1, inner.size() - 2);
  if (std::size_t slash = inner.find('/'); slash != std::string_view::npos) {
    auto base = IpAddress::parse(inner.substr(0, slash));
    auto prefix = whole_number(inner.substr(slash + 1));
    if (!base || !prefix || *prefix > base->bits()) {
      return failure(Errc::kInvalid, "addresses are written as 10.0.0.0/8 or fd00::/8");
    }
    out.kind = Kind::kAddresses;
    out.base = *base;
    out.prefix = static_cast<unsigned>(*prefix);
    return out;
  }
  if (text.ends_with(".*")) {
    std::string octets(text);
    unsigned stars = 0;
    while (octets.ends_with(".*")) {
      octets.resize(octets.size() - 2);
      ++stars;
    }
    std::string whole = octets;
    for (unsigned i = 0; i < stars; ++i) whole += ".0";
    auto base = IpAddress::parse(whole);
    if (!base || !base->is_v4()) {
      return failure(Errc::kInvalid, "stars stand for the last parts of four, as in 10.1.*.*");
    }
    out.kind = Kind::kAddresses;
    out.base = *base;
    out.prefix = 32 - 8 * stars;
    return out;
  }
  TRY(NetHost host, NetHost::parse(text));
  if (host.address) {
    out.kind = Kind::kAddresses;
    out.base = *host.address;
    out.prefix = host.address->bits();
  } else if (host.name == "localhost") {
    out.kind = Kind::kLocalhost;
  } else {
    out.kind = Kind::kName;
    out.name = host.name;
  }
  return out;
}

bool NetRules::Host::names(const IpAddress& address) const {
  if (kind == Kind::kLocalhost) return kind_of(address) == AddressKind::kLoopback;
  return kind == Kind::kAddresses && address.within(base, prefix);
}

bool NetRules::Host::takes(const NetHost& host) const {
  switch (kind) {
    case Kind::kPublic:
      return host.address ? kind_of(*host.address) == AddressKind::kPublic : !host.is_localhost();
    case Kind::kName: return host.name == name;
    case Kind::kBelow:
      return host.name.size() > name.size() + 1 && host.name.ends_with(name) &&
             host.name[host.name.size() - name.size() - 1] == '.';
    // `localhost` is one of the loopback addresses; which one shows when it is looked up.
    case Kind::kAddresses:
      return host.address ? names(*host.address)
                          : host.is_localhost() && kind_of(base) == AddressKind::kLoopback;
    case Kind::kLocalhost: return host.address ? names(*host.address) : host.is_localhost();
  }
  return false;
}

bool NetRules::Rule::takes(const HttpTarget& target) const {
  return (!second || *second == target.tls) && (!port || *port == target.port) &&
         path_within(path, target.path);
}

bool NetRules::Rule::takes(Transport transport, std::uint16_t at) const {
  return (!second || *second == (transport == Transport::kUdp)) && (!port || *port == at);
}

Result<NetRules::Rule> NetRules::parse(std::string_view text, const Words& words) {
  Rule rule;
  std::string_view rest = text;
  std::optional<std::uint16_t> usual;
  if (std::size_t cut = rest.find("://"); cut != std::string_view::npos) {
    std::string_view scheme = rest.substr(0, cut);
    if (scheme != words.first && scheme != words.second) {
      return failure(Errc::kInvalid,
                     fmt::format("'{}' is neither {} nor {}", scheme, words.first, words.second));
    }
    rule.second = scheme == words.second;
    std::uint16_t port = *rule.second ? words.second_port : words.first_port;
    if (port != 0) usual = port;
    rest.remove_prefix(cut + 3);
  }
  // A path, where there may be one, begins after the host's brackets.
  if (words.first == "http") {
    std::size_t bracket = rest.starts_with('[') ? rest.find(']') : 0;
    std::size_t slash = bracket == std::string_view::npos ? bracket : rest.find('/', bracket);
    if (slash != std::string_view::npos) {
      rule.path = rest.substr(slash);
      rest = rest.substr(0, slash);
    }
    if (rule.path.find_first_of("*?#") != std::string::npos || climbs(plain_path(rule.path))) {
      return failure(Errc::kInvalid, "a path is a prefix, without * ? # and without . segments");
    }
  }
  rule.port = usual;
  std::size_t colon = port_colon(rest);
  if (colon != std::string_view::npos) {
    std::string_view port = rest.substr(colon + 1);
    rule.port = port == "*" ? std::nullopt : port_of(port);
    if (port != "*" && !rule.port) {
      return failure(Errc::kInvalid, fmt::format("'{}' is no port: 1 to 65535, or *", port));
    }
    rest = rest.substr(0, colon);
  }
  TRY(rule.host, Host::parse(rest));
  return rule;
}

Result<void> NetRules::add_http(std::string_view text, RuleSource source) {
  auto rule = parse(text, {"http", "https", kHttpPort, kHttpsPort});
  if (rule && http_.size() >= kRulesMax) rule = failure(Errc::kLimit, "there are 1000 already");
  if (!rule) {
    return failure(Errc::kInvalid,
                   fmt::format("'{}': {}; write for example https://api.example.com, "
                               "https://*.example.org:8443/v1/ or http://127.0.0.1:*",
                               text, rule.error().message()));
  }
  rule->source = source;
  http_.push_back(*std::move(rule));
  return {};
}

Result<void> NetRules::add_net(std::string_view text, RuleSource source) {
  auto rule = parse(text, {"tcp", "udp", 0, 0});
  if (rule && net_.size() >= kRulesMax) rule = failure(Errc::kLimit, "there are 1000 already");
  // A socket connects to an address: which of the names below one led there, nobody can tell.
  if (rule && rule->host.kind == Host::Kind::kBelow) {
    rule = failure(Errc::kInvalid, "sockets take no wildcard names: name each host");
  }
  if (!rule) {
    return failure(Errc::kInvalid,
                   fmt::format("'{}': {}; write for example tcp://db.example.com:5432, "
                               "udp://[::1]:* or 127.0.0.1:*",
                               text, rule.error().message()));
  }
  rule->source = source;
  net_.push_back(*std::move(rule));
  return {};
}

bool NetRules::allows(const HttpTarget& target) const {
  return std::ranges::any_of(http_, [&](const Rule& rule) {
    return rule.grants() && rule.host.takes(target.host) && rule.takes(target);
  });
}

bool NetRules::allows(const HttpTarget& target, const IpAddress& address) const {
  if (!allows(target)) return false;
  if (kind_of(address) == AddressKind::kPublic) return true;
  return std::ranges::any_of(http_, [&](const Rule& rule) {
    return rule.opens() && rule.host.names(address) && rule.takes(target);
  });
}

bool NetRules::opens_socket(Transport transport, const IpAddress& address,
                            std::uint16_t port) const {
  return kind_of(address) == AddressKind::kPublic ||
         std::ranges::any_of(net_, [&](const Rule& rule) {
           return rule.opens() && rule.host.names(address) && rule.takes(transport, port);
         });
}

bool NetRules::allows_peer(Transport transport, const IpAddress& address,
                           std::uint16_t port) const {
  NetHost host{.name = {}, .address = address};
  return opens_socket(transport, address, port) && std::ranges::any_of(net_, [&](const Rule& rule) {
           return rule.grants() && rule.host.takes(host) && rule.takes(transport, port);
         });
}

bool NetRules::allows_peer(Transport transport, std::string_view name, const IpAddress& address,
                           std::uint16_t port) const {
  return opens_socket(transport, address, port) && std::ranges::any_of(net_, [&](const Rule& rule) {
           return rule.grants() && rule.host.kind == Host::Kind::kName && rule.host.name == name &&
                  rule.takes(transport, port);
         });
}

std::vector<std::string> NetRules::names(Transport transport, std::uint16_t port) const {
  std::vector<std::string> out;
  for (const Rule& rule : net_) {
    if (rule.grants() && rule.host.kind == Host::Kind::kName && rule.takes(transport, port)) {
      out.push_back(rule.host.name);
    }
  }
  return out;
}

bool NetRules::allows_bind(Transport transport, const IpAddress& address,
                           std::uint16_t port) const {
  if (port == 0 && kind_of(address) == AddressKind::kUnspecified) return allows_sockets(transport);
  return allows_listen(transport, address, port);
}

bool NetRules::allows_listen(Transport transport, const IpAddress& address,
                             std::uint16_t port) const {
  return opens_socket(transport, address, port) && std::ranges::any_of(net_, [&](const Rule& rule) {
           return rule.grants() && rule.host.names(address) && rule.takes(transport, port);
         });
}

bool NetRules::allows_sockets(Transport transport) const {
  return std::ranges::any_of(net_, [&](const Rule& rule) {
    return rule.grants() && (!rule.second || *rule.second == (transport == Transport::kUdp));
  });
}

bool NetRules::allows_lookup(const NetHost& host) const {
  return host.address || std::ranges::any_of(net_, [&](const Rule& rule) {
           return rule.grants() && rule.host.takes(host);
         });
}

}  // namespace weft
