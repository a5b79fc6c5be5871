#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/net_address.h"

namespace weft {

// Who wrote a rule. A manifest's rule grants names and public addresses; an environment's opens
// other addresses to names that manifests grant; a flag's does both.
enum class RuleSource : std::uint8_t { kManifest, kEnvironment, kFlag };

enum class Transport : std::uint8_t { kTcp, kUdp };

// Where a request goes, in one spelling.
struct HttpTarget {
  bool tls = false;
  NetHost host;
  std::uint16_t port = 0;
  std::string path;  // With the query; begins with a slash.

  // `scheme` is "http" or "https". A user's name in the authority is refused.
  static Result<HttpTarget> parse(std::string_view scheme, std::string_view authority,
                                  std::string_view path);
  // Without the path and a port that goes without saying.
  std::string origin() const;
  std::string url() const { return origin() + path; }
};

// What a component may reach: its allow-list. Nothing, until rules are added; from then on only
// read, by any thread.
//
// HTTP rules: [http://|https://]HOST[:PORT][/PATH]. Rules for sockets: [tcp://|udp://]HOST[:PORT].
// HOST is a name, `*.name` (names below it, HTTP only), an address, addresses (`[10.0.0.0/8]`,
// `10.*.*.*`), or `localhost`. PORT is a number or `*`; without one it is the scheme's, or every
// one where there is no scheme. PATH is a prefix that ends between segments. `*` alone is
// everything public.
//
// An address that is not public is reached only where a rule of an operator names it, names
// addresses with it among them, or, for loopback, says `localhost`; whatever name led to it.
class NetRules {
 public:
  Result<void> add_http(std::string_view text, RuleSource source);
  Result<void> add_net(std::string_view text, RuleSource source);

  // Whether a request may be tried at all: before its host is looked up.
  bool allows(const HttpTarget& target) const;
  // Whether it may go to this address, which its host led to.
  bool allows(const HttpTarget& target, const IpAddress& address) const;

  // Whether a socket may connect or send to an address, or hear from it.
  bool allows_peer(Transport transport, const IpAddress& address, std::uint16_t port) const;
  // The same for an address that `name` was just looked up to be.
  bool allows_peer(Transport transport, std::string_view name, const IpAddress& address,
                   std::uint16_t port) const;
  // Names that rules grant for this port: an address may be one of theirs.
  std::vector<std::string> names(Transport transport, std::uint16_t port) const;
  // Whether a socket may be bound to a local address. One without a port is what every socket has
  // that connects.
  bool allows_bind(Transport transport, const IpAddress& address, std::uint16_t port) const;
  bool allows_listen(Transport transport, const IpAddress& address, std::uint16_t port) const;
  bool allows_sockets(Transport transport) const;
  // Whether a name may be looked up: some rule takes it. An address needs no look-up.
  bool allows_lookup(const NetHost& host) const;

  bool empty() const { return http_.empty() && net_.empty(); }

 private:
  struct Host {
    enum class Kind : std::uint8_t { kPublic, kName, kBelow, kAddresses, kLocalhost };
    Kind kind = Kind::kPublic;
    std::string name;  // Of kName and kBelow.
    IpAddress base;    // Of kAddresses.
    unsigned prefix = 0;

    static Result<Host> parse(std::string_view text);
    bool takes(const NetHost& host) const;
    // Whether it speaks of this address itself.
    bool names(const IpAddress& address) const;
  };
  struct Rule {
    RuleSource source = RuleSource::kManifest;
    std::optional<bool> second;  // The second of two schemes (https, udp); nothing: both.
    Host host;
    std::optional<std::uint16_t> port;
    std::string path;

    bool grants() const { return source != RuleSource::kEnvironment; }
    bool opens() const { return source != RuleSource::kManifest; }
    bool takes(const HttpTarget& target) const;
    bool takes(Transport transport, std::uint16_t at) const;
  };
  struct Words {
    std::string_view first, second;  // The schemes.
    std::uint16_t first_port, second_port;
  };

  static Result<Rule> parse(std::string_view text, const Words& words);
  bool opens_socket(Transport transport, const IpAddress& address, std::uint16_t port) const;

  std::vector<Rule> http_;
  std::vector<Rule> net_;
};

}  // namespace weft
