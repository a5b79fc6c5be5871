#include "node/client/find_node.h"

#include <fmt/format.h>

#include "base/net_address.h"
#include "io/loop.h"
#include "node/discovery/discovery.h"
#include "remote/http/signal.h"

namespace weft::node::client {
namespace {

constexpr std::chrono::milliseconds kLookEvery{50};

std::vector<discovery::Neighbour> called(const discovery::Discovery& discovery,
                                         std::string_view who) {
  std::vector<discovery::Neighbour> all = discovery.all();
  std::erase_if(all, [&](const discovery::Neighbour& each) {
    bool by_key = who.size() >= kKeyDigitsLeast && each.key.text().starts_with(who);
    return each.beacon.name != who && !by_key;
  });
  return all;
}

}  // namespace

Task<std::vector<wire::NodeAddress>> hear_node(Loop& loop, std::string who, Deadline deadline) {
  CO_TRY(auto network, discovery::Discovery::open(loop, {}));
  Deadline end = earlier(deadline, Deadline::after(kHearMax));
  network->ask();
  while (called(*network, who).empty()) {
    if (end.passed()) {
      co_return failure(Errc::kUnavailable, fmt::format("no node called {} is heard", who));
    }
    CO_TRY_VOID(co_await remote::pause(loop, Deadline::after(kLookEvery)));
  }
  CO_TRY_VOID(co_await remote::pause(loop, Deadline::after(kHearAlso)));
  auto found = called(*network, who);
  if (found.size() > 1) {
    co_return failure(Errc::kConflict, fmt::format("{} nodes are called {}: write the key of one",
                                                   found.size(), who));
  }
  std::vector<wire::NodeAddress> places;
  for (const auto& node : found) {
    for (const auto& each : node.addresses) {
      // Of a link's own address the interface would be part.
      if (kind_of(each.udp.address) == AddressKind::kLinkLocal) continue;
      places.push_back(
          {.key = node.key, .host = each.udp.address.text(), .port = node.beacon.port});
    }
  }
  if (places.empty()) {
    co_return failure(Errc::kUnavailable, fmt::format("{} has left again", who));
  }
  co_return places;
}

}  // namespace weft::node::client
