#include "engine/net_gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/log.h"
#include "engine/bridge_host.h"
#include "weft-engine/src/bridge.rs.h"

namespace weft {

void NetGate::refused(std::string_view what, std::string_view grant) const {
  {
    std::lock_guard lock(mutex_);
    auto now = Clock::now();
    auto [told, first] = told_.try_emplace(std::string(grant), now);
    if (!first && now - told->second < kQuiet) return;
    told->second = now;
    // Whoever tries everything is told of in part.
    if (told_.size() > kGrantsMax) told_.erase(told_.begin());
  }
  log::warn("network", fmt::format("{} may not {}: missing grant: {}", component_, what, grant));
}

namespace bridge {
namespace {

IpAddress address_of(const SocketQuery& query) {
  IpAddress address = IpAddress::v6(query.ip);
  return query.is_v4 ? address.unmapped() : address;
}

Transport transport_of(const SocketQuery& query) {
  switch (query.reason) {
    case SocketUse::UdpBind:
    case SocketUse::UdpSend:
    case SocketUse::UdpReceive: return Transport::kUdp;
    default: return Transport::kTcp;
  }
}

}  // namespace

SocketUses gate_uses(const std::shared_ptr<NetGate>& gate) {
  const NetRules& rules = gate->rules();
  return {rules.allows_sockets(Transport::kTcp), rules.allows_sockets(Transport::kUdp)};
}

bool gate_check(const std::shared_ptr<NetGate>& gate, const SocketQuery& query,
                rust::Vec<rust::String>& names) {
  const NetRules& rules = gate->rules();
  IpAddress address = address_of(query);
  Transport transport = transport_of(query);
  bool allowed = false;
  switch (query.reason) {
    case SocketUse::TcpBind:
    case SocketUse::UdpBind: allowed = rules.allows_bind(transport, address, query.port); break;
    case SocketUse::TcpListen: allowed = rules.allows_listen(transport, address, query.port); break;
    // Whoever comes to a port that may be listened on is welcome.
    case SocketUse::TcpAccept: return true;
    // Other senders' datagrams are dropped, without a word for each.
    case SocketUse::UdpReceive: return rules.allows_peer(transport, address, query.port);
    default:
      allowed = rules.allows_peer(transport, address, query.port);
      if (allowed) break;
      for (const std::string& name : rules.names(transport, query.port)) names.push_back(name);
      if (!names.empty()) return false;
  }
  if (!allowed) gate_refuse(gate, query);
  return allowed;
}

bool gate_check_named(const std::shared_ptr<NetGate>& gate, const SocketQuery& query,
                      rust::Str name) {
  return gate->rules().allows_peer(transport_of(query), {name.data(), name.size()},
                                   address_of(query), query.port);
}

void gate_refuse(const std::shared_ptr<NetGate>& gate, const SocketQuery& query) {
  std::string_view verb = "connect to";
  if (query.reason == SocketUse::UdpSend) verb = "send to";
  if (query.reason == SocketUse::TcpListen) verb = "listen on";
  if (query.reason == SocketUse::TcpBind || query.reason == SocketUse::UdpBind) verb = "bind to";
  // Port 0 is any port that is free.
  std::string where = fmt::format("{}:{}", address_of(query).url_text(),
                                  query.port == 0 ? "*" : std::to_string(query.port));
  std::string_view scheme = transport_of(query) == Transport::kUdp ? "udp" : "tcp";
  gate->refused(fmt::format("{} {}", verb, where),
                fmt::format("--allow-net '{}://{}'", scheme, where));
}

void gate_refuse_sockets(const std::shared_ptr<NetGate>& gate, rust::Str scheme) {
  std::string_view word(scheme.data(), scheme.size());
  gate->refused(fmt::format("use {} sockets", word),
                fmt::format("--allow-net '{}://HOST:PORT'", word));
}

bool gate_lookup(const std::shared_ptr<NetGate>& gate, rust::Str name) {
  std::string_view word(name.data(), name.size());
  auto host = NetHost::parse(word);
  // What is no name is Wasmtime's to refuse.
  if (!host || gate->rules().allows_lookup(*host)) return true;
  gate->refused(fmt::format("look up {}", host->name), fmt::format("--allow-net '{}'", host->name));
  return false;
}

}  // namespace bridge
}  // namespace weft
