#include "node/discovery/neighbour_entry.h"

#include <algorithm>

namespace weft::node::discovery {
namespace {

// Of a beacon's fields, as docs/NODE_PROTOCOL.md numbers them.
enum Field : std::uint16_t { kName = kFirstField, kBoot, kSequence, kSent, kPort };

}  // namespace

std::string_view to_string(Heard heard) {
  switch (heard) {
    case Heard::kNew: return "new";
    case Heard::kChanged: return "changed";
    case Heard::kAlive: return "alive";
    case Heard::kAgain: return "again";
    case Heard::kLeft: return "left";
    case Heard::kTooLong: return "too long";
    case Heard::kMalformed: return "malformed";
    case Heard::kOwn: return "own";
    case Heard::kClock: return "clock";
    case Heard::kOld: return "old";
    case Heard::kTwin: return "twin";
    case Heard::kTooMany: return "too many";
    case Heard::kNoRoom: return "no room";
    case Heard::kForged: return "forged";
  }
  return "?";
}

std::optional<Neighbours::Head> Neighbours::Head::read(BytesView datagram) {
  auto view = SignedView::open(datagram, ObjectKind::kBeacon);
  if (!view) return std::nullopt;
  Head head{.view = *view};
  std::ranges::copy(datagram.last(kSignatureBytes), head.signature.begin());
  FieldReader fields = view->fields();
  head.name = fields.text(kName, kNodeNameMax);
  head.boot = fields.u64(kBoot);
  head.sequence = fields.u64(kSequence);
  head.sent = fields.u64(kSent);
  if (!fields.has(kPort)) return std::nullopt;
  return head;
}

bool Neighbours::Entry::differs(const Beacon& beacon) const {
  const Beacon& last = neighbour.beacon;
  return beacon.boot != last.boot || beacon.port != last.port || beacon.name != last.name ||
         beacon.catalogue != last.catalogue || beacon.offers != last.offers;
}

bool Neighbours::Entry::has_address(const IpAddress& address) const {
  return std::ranges::any_of(neighbour.addresses, [&](const NeighbourAddress& each) {
    return each.udp.address == address;
  });
}

NeighbourAddress* Neighbours::Entry::add_address(const UdpEndpoint& from, Time now) {
  auto& addresses = neighbour.addresses;
  for (NeighbourAddress& each : addresses) {
    if (each.udp.address != from.address || each.udp.scope != from.scope) continue;
    each.heard = now;
    return &each;
  }
  std::erase_if(addresses,
                [&](const NeighbourAddress& each) { return now - each.heard >= kAddressSilence; });
  auto family = std::ranges::count_if(addresses, [&](const NeighbourAddress& each) {
    return each.udp.address.is_v4() == from.address.is_v4();
  });
  if (static_cast<std::size_t>(family) >= kAddressesPerFamilyMax) return nullptr;
  return &addresses.emplace_back(from, now);
}

}  // namespace weft::node::discovery
