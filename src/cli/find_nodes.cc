#include "cli/find_nodes.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>

#include "app/table_reader.h"
#include "base/fd.h"
#include "base/net_address.h"
#include "io/loop.h"
#include "io/timer.h"
#include "node/discovery/discovery.h"

namespace weft {
namespace {

constexpr std::string_view kAllNodes = "all";

// Whether something accepts there.
bool connects(const std::string& host, std::uint16_t port, int patience_ms) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return false;
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> held(found, ::freeaddrinfo);
  Fd socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return false;
  if (::connect(socket.get(), found->ai_addr, found->ai_addrlen) == 0) return true;
  pollfd wait{.fd = socket.get(), .events = POLLOUT, .revents = 0};
  int problem = 0;
  socklen_t size = sizeof problem;
  return errno == EINPROGRESS && ::poll(&wait, 1, patience_ms) == 1 &&
         ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &problem, &size) == 0 && problem == 0;
}

// The first of its addresses at which something listens: a beacon says where it came from, which
// need not be where the node listens.
std::optional<std::string> reachable(const node::discovery::Neighbour& who) {
  constexpr int kConnectMs = 1'000;
  for (const auto& each : who.addresses) {
    // Of a link's own address the interface would be part.
    if (kind_of(each.udp.address) == AddressKind::kLinkLocal) continue;
    std::string host = each.udp.address.text();
    if (connects(host, who.beacon.port, kConnectMs)) return host;
  }
  return std::nullopt;
}

Result<node::wire::NodeAddress> address_of(const node::discovery::Neighbour& who) {
  auto host = reachable(who);
  if (!host) {
    return failure(
        Errc::kUnavailable,
        fmt::format("{} is there, and nothing of it answers at port {} of its addresses: "
                    "name it as KEY@ADDRESS:PORT",
                    who.beacon.name, who.beacon.port));
  }
  return node::wire::NodeAddress{.key = who.key, .host = *std::move(host), .port = who.beacon.port};
}

// One of those that were heard, by its name or the first digits of its key.
Result<const node::discovery::Neighbour*> find_among(const Heard& nodes, const NetWords& words,
                                                     const std::string& who) {
  std::vector<const node::discovery::Neighbour*> fit;
  for (const auto& each : nodes) {
    bool by_key = who.size() >= 8 && each.key.text().starts_with(who);
    if (each.beacon.name == who || by_key) fit.push_back(&each);
  }
  if (fit.size() > 1) {
    return failure(Errc::kConflict,
                   fmt::format("{} nodes are called {}: name one by its key, or as "
                               "KEY@ADDRESS:PORT",
                               fit.size(), who));
  }
  if (fit.empty()) {
    return failure(Errc::kNotFound, fmt::format("no node called {} was heard within {}: see `weft "
                                                "net`, or name it as KEY@ADDRESS:PORT",
                                                who, words.wait));
  }
  return fit[0];
}

}  // namespace

Result<std::chrono::milliseconds> duration_of(std::string_view flag, const std::string& text) {
  auto time = read_duration(text);
  if (!time)
    return std::unexpected(std::move(time).error().within(fmt::format("{} {}", flag, text)));
  return std::chrono::ceil<std::chrono::milliseconds>(*time);
}

Result<Heard> listen(Loop& loop, const NetWords& words) {
  TRY(auto wait, duration_of("--wait", words.wait));
  node::discovery::Discovery::Options with;
  with.network.interfaces = {.names = words.interfaces, .loopback = words.loopback};
  TRY(auto discovery, node::discovery::Discovery::open(loop, std::move(with)));
  discovery->ask();
  Timer enough(loop, [&] { loop.stop(); });
  enough.arm(Deadline::after(wait));
  loop.run();
  loop.context().restart();
  return discovery->all();
}

Result<node::wire::NodeAddress> find_node(Loop& loop, const NetWords& words,
                                          const std::string& who) {
  if (who.contains('@')) return node::wire::NodeAddress::parse(who);
  TRY(auto nodes, listen(loop, words));
  TRY(const node::discovery::Neighbour* found, find_among(nodes, words, who));
  return address_of(*found);
}

Result<FoundNodes> find_nodes(Loop& loop, const NetWords& words, const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t at = 0; at <= text.size();) {
    std::size_t comma = std::min(text.find(',', at), text.size());
    std::string name = text.substr(at, comma - at);
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
    at = comma + 1;
  }
  auto written = [](const std::string& name) { return name.contains('@'); };
  Heard heard;
  if (!std::ranges::all_of(names, written)) {
    TRY(heard, listen(loop, words));
  }
  FoundNodes found;
  auto add = [&](node::wire::NodeAddress address) {
    auto same = [&](const auto& each) { return each.key == address.key; };
    if (std::ranges::none_of(found.nodes, same)) found.nodes.push_back(std::move(address));
  };
  auto reach = [&](const node::discovery::Neighbour& who) {
    if (auto address = address_of(who)) {
      add(*std::move(address));
    } else {
      found.away.push_back(std::move(address).error());
    }
  };
  if (text == kAllNodes) {
    for (const auto& each : heard) reach(each);
    if (heard.empty()) return failure(Errc::kNotFound, "nobody answered: see `weft net`");
    return found;
  }
  for (const std::string& name : names) {
    if (written(name)) {
      TRY(auto address, node::wire::NodeAddress::parse(name));
      add(std::move(address));
    } else {
      TRY(const node::discovery::Neighbour* who, find_among(heard, words, name));
      reach(*who);
    }
  }
  return found;
}

}  // namespace weft
