#include "base/net_rules.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace weft {
namespace {

AddressKind kind(std::string_view text) {
  return kind_of(*IpAddress::parse(text));
}

HttpTarget target(std::string_view scheme, std::string_view authority,
                  std::string_view path = "/") {
  auto parsed = HttpTarget::parse(scheme, authority, path);
  EXPECT_TRUE(parsed) << authority;
  return parsed ? *parsed : HttpTarget{};
}

NetRules http(std::initializer_list<std::string_view> texts,
              RuleSource source = RuleSource::kFlag) {
  NetRules rules;
  for (std::string_view text : texts) {
    auto added = rules.add_http(text, source);
    EXPECT_TRUE(added) << (added ? "" : added.error().message());
  }
  return rules;
}

NetRules net(std::initializer_list<std::string_view> texts, RuleSource source = RuleSource::kFlag) {
  NetRules rules;
  for (std::string_view text : texts) EXPECT_TRUE(rules.add_net(text, source)) << text;
  return rules;
}

IpAddress ip(std::string_view text) {
  return *IpAddress::parse(text);
}

TEST(NetAddress, KindsAtTheEdgesOfTheirRanges) {
  // The first and the last address of a range is of its kind, the neighbours are not.
  struct Case {
    std::string_view before, first, last, after;
    AddressKind kind;
  };
  const Case cases[] = {
      {"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0", AddressKind::kPrivate},
      {"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0", AddressKind::kShared},
      {"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0", AddressKind::kLoopback},
      {"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0", AddressKind::kLinkLocal},
      {"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0", AddressKind::kPrivate},
      {"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0", AddressKind::kPrivate},
      {"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0", AddressKind::kReserved},
      {"223.255.255.255", "224.0.0.0", "239.255.255.255", "", AddressKind::kMulticast},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(kind(each.before), AddressKind::kPublic) << each.before;
    EXPECT_EQ(kind(each.first), each.kind) << each.first;
    EXPECT_EQ(kind(each.last), each.kind) << each.last;
    if (!each.after.empty()) EXPECT_EQ(kind(each.after), AddressKind::kPublic) << each.after;
  }
}

TEST(NetAddress, KindsOfSingleAddresses) {
  // Each kind of IPv6, and IPv4 in every coat it may wear inside IPv6.
  const std::pair<std::string_view, AddressKind> cases[] = {
      {"0.0.0.0", AddressKind::kUnspecified},
      {"0.1.2.3", AddressKind::kReserved},
      {"255.255.255.255", AddressKind::kBroadcast},
      {"240.0.0.1", AddressKind::kReserved},
      {"169.254.169.254", AddressKind::kLinkLocal},
      {"168.63.129.16", AddressKind::kLinkLocal},
      {"100.100.100.200", AddressKind::kShared},
      {"192.0.0.192", AddressKind::kReserved},
      {"8.8.8.8", AddressKind::kPublic},
      {"::", AddressKind::kUnspecified},
      {"::1", AddressKind::kLoopback},
      {"::2", AddressKind::kReserved},
      {"::127.0.0.1", AddressKind::kReserved},
      {"::ffff:127.0.0.1", AddressKind::kLoopback},
      {"::ffff:10.0.0.1", AddressKind::kPrivate},
      {"::ffff:8.8.8.8", AddressKind::kPublic},
      {"::ffff:0:127.0.0.1", AddressKind::kLoopback},
      {"64:ff9b::127.0.0.1", AddressKind::kLoopback},
      {"64:ff9b::169.254.169.254", AddressKind::kLinkLocal},
      {"64:ff9b::8.8.8.8", AddressKind::kPublic},
      {"64:ff9b:1::8.8.8.8", AddressKind::kPrivate},
      {"2002:7f00:1::", AddressKind::kLoopback},
      {"2002:a00:1::1", AddressKind::kPrivate},
      {"2002:808:808::1", AddressKind::kPublic},
      {"2001:0:1234::1", AddressKind::kReserved},
      {"2001:db8::1", AddressKind::kReserved},
      {"2606:4700:0:0:0:5efe:7f00:1", AddressKind::kLoopback},
      {"2606:4700:0:0:200:5efe:a00:1", AddressKind::kPrivate},
      {"2606:4700::1111", AddressKind::kPublic},
      {"fc00::1", AddressKind::kPrivate},
      {"fd00:ec2::254", AddressKind::kPrivate},
      {"fe80::1", AddressKind::kLinkLocal},
      {"febf::1", AddressKind::kLinkLocal},
      {"fec0::1", AddressKind::kPrivate},
      {"ff02::1", AddressKind::kMulticast},
      {"4000::1", AddressKind::kReserved},
      {"100::1", AddressKind::kReserved},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(kind(text), expected) << text;
}

TEST(NetAddress, EverySpellingOfAHostIsOne) {
  // All that a resolver would take for an IPv4 address is that address, and no name.
  for (std::string_view text :
       {"127.0.0.1", "127.1", "127.0.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001",
        "0177.0.0.1", "127.0.0.1.", "0X7F.0.0.0x1"}) {
    auto host = NetHost::parse(text);
    ASSERT_TRUE(host) << text;
    ASSERT_TRUE(host->address) << text;
    EXPECT_EQ(host->address->text(), "127.0.0.1") << text;
  }
  EXPECT_EQ(NetHost::parse("API.Example.COM.")->name, "api.example.com");
  EXPECT_EQ(NetHost::parse("[::FFFF:127.0.0.1]")->address->unmapped().text(), "127.0.0.1");
  EXPECT_TRUE(NetHost::parse("a.LocalHost")->is_localhost());
  EXPECT_FALSE(NetHost::parse("localhost.example.com")->is_localhost());
  for (std::string_view text :
       {"", ".", "a..b", ".a", "1.2.3.4.5", "256.1.1.1", "1.2.3.0x", "4294967296", "a b", "a\nb",
        "ex\xc3\xa4mple", "[::1", "[127.0.0.1]", "[fe80::1%eth0]", "a/b", "a@b", "09.1.1.1",
        "99999999999999999999999", "1.2.3.09"}) {
    auto host = NetHost::parse(text);
    EXPECT_TRUE(!host || text == "1.2.3.0x") << text;
  }
}

TEST(NetRules, WhatARuleOfNamesTakes) {
  // Scheme, name, port and path each decide.
  NetRules rules = http({"https://api.example.com", "https://*.example.org:8443/v1/",
                         "http://plain.example.com:*/a"});
  EXPECT_TRUE(rules.allows(target("https", "api.example.com")));
  EXPECT_TRUE(rules.allows(target("https", "API.example.com.:443", "/x?y")));
  EXPECT_FALSE(rules.allows(target("http", "api.example.com")));
  EXPECT_FALSE(rules.allows(target("https", "api.example.com:444")));
  EXPECT_FALSE(rules.allows(target("https", "xapi.example.com")));
  EXPECT_FALSE(rules.allows(target("https", "api.example.com.evil.net")));
  EXPECT_TRUE(rules.allows(target("https", "a.example.org:8443", "/v1/x")));
  EXPECT_TRUE(rules.allows(target("https", "a.b.example.org:8443", "/v1/")));
  EXPECT_FALSE(rules.allows(target("https", "example.org:8443", "/v1/")));
  EXPECT_FALSE(rules.allows(target("https", "badexample.org:8443", "/v1/")));
  EXPECT_FALSE(rules.allows(target("https", "a.example.org:8443", "/v1")));
  EXPECT_FALSE(rules.allows(target("https", "a.example.org:8443", "/v2/")));
  EXPECT_TRUE(rules.allows(target("http", "plain.example.com:1234", "/a?b")));
  EXPECT_TRUE(rules.allows(target("http", "plain.example.com", "/a/b")));
  EXPECT_FALSE(rules.allows(target("http", "plain.example.com", "/ab")));
}

TEST(NetRules, APathThatClimbsIsNotBelowThePrefix) {
  // However the dots are written.
  NetRules rules = http({"https://a.example/v1/"});
  for (std::string_view path :
       {"/v1/../admin", "/v1/..", "/v1/%2e%2e/admin", "/v1/.%2E/admin", "/v1/..%2fadmin",
        "/v1/..%5cadmin", "/v1/..\\admin", "/v1/%252e%252e/admin", "/v1/..;x=1/admin", "/v1/./x"}) {
    EXPECT_FALSE(rules.allows(target("https", "a.example", path))) << path;
  }
  EXPECT_TRUE(rules.allows(target("https", "a.example", "/v1/a..b/...?x=../..")));
  EXPECT_TRUE(http({"https://a.example"}).allows(target("https", "a.example", "/v1/../x")));
}

TEST(NetRules, AStarIsEverythingPublic) {
  // And nothing else, by whatever way the address was come by.
  NetRules rules = http({"*"});
  EXPECT_TRUE(rules.allows(target("http", "example.com:1234")));
  EXPECT_TRUE(rules.allows(target("https", "example.com"), ip("93.184.216.34")));
  EXPECT_TRUE(rules.allows(target("https", "8.8.8.8")));
  for (std::string_view host :
       {"127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0",
        "169.254.169.254", "10.1.2.3", "192.168.0.1", "172.16.0.1", "100.64.0.1", "[fd00::1]",
        "[fe80::1]", "[::]", "255.255.255.255", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"}) {
    EXPECT_FALSE(rules.allows(target("http", host))) << host;
  }
  for (std::string_view address : {"127.0.0.1", "::1", "::ffff:10.0.0.1", "169.254.169.254",
                                   "10.0.0.1", "fd00:ec2::254", "0.0.0.0", "224.0.0.1"}) {
    EXPECT_FALSE(rules.allows(target("http", "example.com"), ip(address))) << address;
  }
}

TEST(NetRules, AnOperatorNamesAddresses) {
  // An address, addresses, or localhost: each opens what it says and no more.
  NetRules rules = http({"http://127.0.0.1:*"});
  EXPECT_TRUE(rules.allows(target("http", "127.0.0.1:81"), ip("127.0.0.1")));
  EXPECT_TRUE(rules.allows(target("http", "0x7f.1:81"), ip("127.0.0.1")));
  EXPECT_TRUE(rules.allows(target("http", "[::ffff:127.0.0.1]:81"), ip("::ffff:127.0.0.1")));
  EXPECT_TRUE(rules.allows(target("http", "localhost:81"), ip("127.0.0.1")));
  EXPECT_FALSE(rules.allows(target("http", "localhost:81"), ip("::1")));
  EXPECT_FALSE(rules.allows(target("https", "127.0.0.1:81")));
  EXPECT_FALSE(rules.allows(target("http", "127.0.0.2")));
  EXPECT_FALSE(rules.allows(target("http", "evil.example"), ip("127.0.0.1")));

  NetRules local = http({"localhost"});
  EXPECT_TRUE(local.allows(target("http", "localhost:81"), ip("::1")));
  EXPECT_TRUE(local.allows(target("https", "127.0.0.1:81"), ip("127.0.0.1")));
  EXPECT_FALSE(local.allows(target("http", "localhost:81"), ip("10.0.0.1")));
  EXPECT_FALSE(local.allows(target("http", "a.example"), ip("127.0.0.1")));

  for (std::string_view text : {"http://10.*.*.*:*", "http://[10.0.0.0/8]:*"}) {
    NetRules ten = http({text});
    EXPECT_TRUE(ten.allows(target("http", "10.2.3.4:9"), ip("10.2.3.4"))) << text;
    EXPECT_FALSE(ten.allows(target("http", "11.2.3.4:9"))) << text;
  }
  EXPECT_TRUE(http({"[fd00::/8]:*"}).allows(target("http", "[fd12::1]:9"), ip("fd12::1")));
  EXPECT_TRUE(http({"[::1]:*"}).allows(target("https", "[::1]:9"), ip("::1")));
  EXPECT_FALSE(http({"[::1]:*"}).allows(target("https", "127.0.0.1:9")));
}

TEST(NetRules, ManifestsNameAndEnvironmentsOpen) {
  // Neither reaches a private address alone.
  NetRules rules =
      http({"http://db.example", "http://10.0.0.5", "http://localhost:1"}, RuleSource::kManifest);
  EXPECT_TRUE(rules.allows(target("http", "10.0.0.5")));
  EXPECT_FALSE(rules.allows(target("http", "10.0.0.5"), ip("10.0.0.5")));
  EXPECT_FALSE(rules.allows(target("http", "db.example"), ip("10.0.0.5")));
  EXPECT_FALSE(rules.allows(target("http", "localhost:1"), ip("127.0.0.1")));
  ASSERT_TRUE(rules.add_http("http://10.0.0.5", RuleSource::kEnvironment));
  EXPECT_TRUE(rules.allows(target("http", "10.0.0.5"), ip("10.0.0.5")));
  EXPECT_TRUE(rules.allows(target("http", "db.example"), ip("10.0.0.5")));
  EXPECT_FALSE(rules.allows(target("http", "db.example"), ip("10.0.0.6")));
  EXPECT_FALSE(rules.allows(target("http", "other.example"), ip("10.0.0.5")));
  // An operator's rule for a name says nothing about where it may lead.
  NetRules flag = http({"http://db.example"});
  EXPECT_FALSE(flag.allows(target("http", "db.example"), ip("10.0.0.5")));
  EXPECT_FALSE(http({"http://10.0.0.5"}, RuleSource::kEnvironment)
                   .allows(target("http", "10.0.0.5"), ip("10.0.0.5")));
}

TEST(NetRules, Sockets) {
  // Peers by transport, address and port; names through what they are looked up to be.
  NetRules rules = net({"tcp://127.0.0.1:5432", "udp://[::1]:*", "tcp://db.example:5433", "*"});
  EXPECT_TRUE(rules.allows_peer(Transport::kTcp, ip("127.0.0.1"), 5432));
  EXPECT_TRUE(rules.allows_peer(Transport::kTcp, ip("::ffff:127.0.0.1"), 5432));
  EXPECT_FALSE(rules.allows_peer(Transport::kUdp, ip("127.0.0.1"), 5432));
  EXPECT_FALSE(rules.allows_peer(Transport::kTcp, ip("127.0.0.1"), 5433));
  EXPECT_TRUE(rules.allows_peer(Transport::kUdp, ip("::1"), 1));
  EXPECT_TRUE(rules.allows_peer(Transport::kTcp, ip("8.8.8.8"), 53));
  EXPECT_FALSE(rules.allows_peer(Transport::kTcp, ip("10.0.0.1"), 53));
  NetRules named = net({"tcp://db.example:5433"});
  EXPECT_EQ(named.names(Transport::kTcp, 5433), std::vector<std::string>{"db.example"});
  EXPECT_TRUE(named.names(Transport::kTcp, 5432).empty());
  EXPECT_TRUE(named.names(Transport::kUdp, 5433).empty());
  EXPECT_FALSE(named.allows_peer(Transport::kTcp, ip("8.8.8.8"), 5433));
  EXPECT_TRUE(named.allows_peer(Transport::kTcp, "db.example", ip("8.8.8.8"), 5433));
  EXPECT_FALSE(named.allows_peer(Transport::kTcp, "db.example", ip("10.0.0.1"), 5433));
  EXPECT_FALSE(named.allows_peer(Transport::kTcp, "db.example", ip("8.8.8.8"), 5434));
}

TEST(NetRules, BindingListeningAndLookups) {
  // What connects is bound to no port; what listens needs a rule that names the local address.
  NetRules rules = net({"tcp://127.0.0.1:7000"});
  EXPECT_TRUE(rules.allows_bind(Transport::kTcp, ip("0.0.0.0"), 0));
  EXPECT_TRUE(rules.allows_bind(Transport::kTcp, ip("::"), 0));
  EXPECT_FALSE(rules.allows_bind(Transport::kUdp, ip("0.0.0.0"), 0));
  EXPECT_TRUE(rules.allows_listen(Transport::kTcp, ip("127.0.0.1"), 7000));
  EXPECT_FALSE(rules.allows_listen(Transport::kTcp, ip("127.0.0.1"), 7001));
  EXPECT_FALSE(rules.allows_listen(Transport::kTcp, ip("0.0.0.0"), 7000));
  EXPECT_FALSE(net({"*"}).allows_listen(Transport::kTcp, ip("0.0.0.0"), 7000));
  EXPECT_FALSE(net({"*"}).allows_listen(Transport::kTcp, ip("8.8.8.8"), 7000));
  EXPECT_TRUE(net({"0.0.0.0:7000"}).allows_listen(Transport::kTcp, ip("0.0.0.0"), 7000));
  NetHost local = *NetHost::parse("localhost");
  NetHost named = *NetHost::parse("A.example");
  EXPECT_TRUE(rules.allows_lookup(local));
  EXPECT_FALSE(rules.allows_lookup(named));
  EXPECT_TRUE(rules.allows_lookup(*NetHost::parse("8.8.8.8")));
  EXPECT_TRUE(net({"localhost"}).allows_lookup(local));
  EXPECT_TRUE(net({"tcp://a.example:1"}).allows_lookup(named));
  EXPECT_FALSE(net({"tcp://a.example:1"}).allows_lookup(local));
  EXPECT_TRUE(net({"*"}).allows_lookup(named));
  EXPECT_FALSE(net({"*"}).allows_lookup(local));
  EXPECT_FALSE(NetRules().allows_sockets(Transport::kTcp));
}

TEST(NetRules, WrongRulesSayWhatToWrite) {
  // Each is refused, with the text and an example.
  for (std::string_view text :
       {"", "ftp://a.example", "https://", "https://a.example:0", "https://a.example:65536",
        "https://a.example:x", "https://*example.com", "https://a.*.example", "https://*.127.0.0.1",
        "https://a b", "https://a.example/x?y", "https://a.example/*", "https://a.example/../x",
        "https://u@a.example", "https://[::1", "https://[10.0.0.0/33]", "10.*.0.1", "300.*.*.*"}) {
    NetRules rules;
    auto added = rules.add_http(text, RuleSource::kFlag);
    ASSERT_FALSE(added) << text;
    EXPECT_NE(added.error().message().find("write for example"), std::string::npos);
    EXPECT_TRUE(rules.empty());
  }
  EXPECT_FALSE(NetRules().add_net("tcp://*.example.com:1", RuleSource::kFlag));
  EXPECT_FALSE(NetRules().add_net("http://example.com:1", RuleSource::kFlag));
}

TEST(NetRules, TargetsInOneSpelling) {
  // What is sent is made of what was checked.
  EXPECT_EQ(target("http", "EXAMPLE.com:80", "/a?b").url(), "http://example.com/a?b");
  EXPECT_EQ(target("https", "0x7f.1:8443", "").url(), "https://127.0.0.1:8443/");
  EXPECT_EQ(target("http", "[::1]:81", "?q").url(), "http://[::1]:81/?q");
  for (auto [scheme, authority, path] :
       {std::tuple{"ftp", "a.example", "/"}, std::tuple{"http", "user@a.example", "/"},
        std::tuple{"http", "a.example@127.0.0.1", "/"}, std::tuple{"http", "a.example:x", "/"},
        std::tuple{"http", "a.example:0", "/"}, std::tuple{"http", "", "/"},
        std::tuple{"http", "a.example", "/a b"}, std::tuple{"http", "a.example", "/\r\nx: y"}}) {
    EXPECT_FALSE(HttpTarget::parse(scheme, authority, path)) << authority << path;
  }
}

}  // namespace
}  // namespace weft
