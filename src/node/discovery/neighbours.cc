#include "node/discovery/neighbours.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "node/discovery/neighbour_entry.h"

namespace weft::node::discovery {
namespace {

constexpr UnixMs kSkewMs = std::chrono::milliseconds(kClockSkewMax).count();

}  // namespace

Neighbours::Neighbours(Options options, const Moment& now)
    : options_(std::move(options)),
      sources_(kVerifyRatePerSource, kSourcesMax),
      named_(kVerifyRateOfNamed, now.steady),
      strangers_(kVerifyRateOfStrangers, now.steady),
      all_(kVerifyRateOfAll, now.steady) {}

Neighbours::~Neighbours() = default;

Heard Neighbours::take(BytesView datagram, const UdpEndpoint& from, const Moment& now) {
  Heard heard = judge(datagram, from, now);
  ++counts_[static_cast<std::size_t>(heard)];
  return heard;
}

Heard Neighbours::judge(BytesView datagram, const UdpEndpoint& from, const Moment& now) {
  if (datagram.size() > kDatagramBytesMax) return Heard::kTooLong;
  auto head = Head::read(datagram);
  if (!head) return Heard::kMalformed;
  if (head->signer() == options_.self) return judge_own(*head, from, now.steady);
  UnixMs apart = std::max(head->sent, now.unix_ms) - std::min(head->sent, now.unix_ms);
  if (apart > kSkewMs) {
    if (may_log(now.steady)) {
      log::warn("discovery", "a beacon's clock is not ours: its node is not seen",
                {{"from", from.text()}, {"apart_ms", apart}});
    }
    return Heard::kClock;
  }
  auto found = entries_.find(head->signer());
  if (found == entries_.end()) return judge_newcomer(*head, from, now.steady);
  return judge_neighbour(found->second, *head, from, now.steady);
}

Heard Neighbours::judge_own(const Head& head, const UdpEndpoint& from, Time now) {
  if (head.boot == options_.boot) return Heard::kOwn;
  if (own_twin_) return Heard::kTwin;
  if (!within_rates(from, &strangers_, kVerifyRateOfStrangers, now)) return Heard::kTooMany;
  if (!verified(head.view)) return Heard::kForged;
  own_twin_ = true;
  log::error("discovery", "another node has this node's key: give each a key of its own",
             {{"from", from.text()}, {"name", head.name}});
  return Heard::kTwin;
}

Heard Neighbours::judge_neighbour(Place place, const Head& head, const UdpEndpoint& from,
                                  Time now) {
  Entry& entry = *place;
  const Beacon& last = entry.neighbour.beacon;
  if (head.boot == last.boot) {
    if (head.sequence < last.sequence) return Heard::kOld;
    if (head.sequence == last.sequence) {
      // The same signature is of the same beacon. Were it of another, nothing of that is believed.
      if (!std::ranges::equal(head.signature, entry.signature)) return Heard::kOld;
      entry.add_address(from, now);
      return Heard::kAgain;
    }
  } else {
    if (head.sent <= last.sent) return Heard::kOld;
    if (entry.neighbour.twin && now - entry.neighbour.heard < kSilence) return Heard::kTwin;
  }
  bool at_home = entry.has_address(from.address);
  if (!within_rates(from, at_home ? nullptr : &strangers_, kVerifyRateOfStrangers, now)) {
    return Heard::kTooMany;
  }
  if (!verified(head.view)) return Heard::kForged;
  auto beacon = read_beacon(head.view);
  if (!beacon) return Heard::kMalformed;
  return renew(place, *std::move(beacon), head, from, now);
}

Heard Neighbours::renew(Place place, Beacon beacon, const Head& head, const UdpEndpoint& from,
                        Time now) {
  Entry& entry = *place;
  Neighbour& neighbour = entry.neighbour;
  if (beacon.boot != neighbour.beacon.boot) {
    if (beacon.boot == entry.boot_before) {
      // A boot that was over speaks again: they are two, and the one that is there stays.
      log::warn("discovery", "two nodes have the same key: only one of them is seen",
                {{"key", neighbour.key.text()},
                 {"name", neighbour.beacon.name},
                 {"at", neighbour.addresses.front().udp.text()},
                 {"other_name", beacon.name},
                 {"other_at", from.text()}});
      neighbour.twin = true;
      return Heard::kTwin;
    }
    entry.boot_before = neighbour.beacon.boot;
  }
  bool leaving = beacon.leaving;
  bool changed = entry.differs(beacon);
  neighbour.beacon = std::move(beacon);
  if (leaving) {
    remove(place, now);
    return Heard::kLeft;
  }
  std::ranges::copy(head.signature, entry.signature.begin());
  neighbour.heard = now;
  entry.asked = 0;
  if (NeighbourAddress* address = entry.add_address(from, now)) address->udp.port = from.port;
  order_.splice(order_.end(), order_, place);
  if (!changed) return Heard::kAlive;
  tell(NeighbourChange::kChanged, neighbour);
  return Heard::kChanged;
}

Heard Neighbours::judge_newcomer(const Head& head, const UdpEndpoint& from, Time now) {
  if (auto gone = gone_.find(head.signer()); gone != gone_.end()) {
    bool over = head.boot == gone->second.boot ? head.sequence <= gone->second.sequence
                                               : head.sent <= gone->second.sent;
    if (over && now - gone->second.at < kGoneKept) return Heard::kOld;
  }
  bool is_named = named(head.signer());
  if (!within_rates(from, is_named ? &named_ : &strangers_,
                    is_named ? kVerifyRateOfNamed : kVerifyRateOfStrangers, now)) {
    return Heard::kTooMany;
  }
  Place victim = order_.end();
  if (!find_room(is_named, from.address, now, victim)) return Heard::kNoRoom;
  if (!verified(head.view)) return Heard::kForged;
  auto beacon = read_beacon(head.view);
  if (!beacon) return Heard::kMalformed;
  if (beacon->leaving) {
    remember_gone(head.signer(), *beacon, now);
    return Heard::kLeft;
  }
  if (victim != order_.end()) remove(victim, now);
  admit(*std::move(beacon), head, from, now);
  return Heard::kNew;
}

bool Neighbours::find_room(bool is_named, const IpAddress& address, Time now, Place& victim) {
  std::size_t own = keys_of(address);
  if (!is_named && own >= kKeysPerAddressMax) return false;
  if (entries_.size() < options_.neighbours_max) return true;
  std::size_t most = 0;
  for (Place place = order_.begin(); place != order_.end(); ++place) {
    if (place->named) continue;
    std::size_t keys = is_named ? 1 : keys_of(place->home);
    bool eligible =
        is_named || (now - place->neighbour.since < kEstablishedAfter && keys > own + 1);
    if (!eligible || keys < most) continue;
    if (keys > most || place->neighbour.since >= victim->neighbour.since) victim = place;
    most = keys;
  }
  return victim != order_.end();
}

void Neighbours::admit(Beacon beacon, const Head& head, const UdpEndpoint& from, Time now) {
  gone_.erase(head.signer());
  Entry& entry = order_.emplace_back();
  entry.neighbour.key = head.signer();
  entry.neighbour.beacon = std::move(beacon);
  entry.neighbour.since = entry.neighbour.heard = now;
  entry.named = named(head.signer());
  entry.home = from.address;
  entry.boot_before = entry.neighbour.beacon.boot;
  std::ranges::copy(head.signature, entry.signature.begin());
  entry.add_address(from, now);
  entries_.emplace(head.signer(), std::prev(order_.end()));
  ++keys_of_[from.address];
  tell(NeighbourChange::kCame, entry.neighbour);
}

void Neighbours::remove(Place place, Time now) {
  auto keys = keys_of_.find(place->home);
  CHECK(keys != keys_of_.end());
  if (--keys->second == 0) keys_of_.erase(keys);
  remember_gone(place->neighbour.key, place->neighbour.beacon, now);
  Order removed;
  removed.splice(removed.end(), order_, place);
  entries_.erase(removed.front().neighbour.key);
  tell(NeighbourChange::kGone, removed.front().neighbour);
}

void Neighbours::remember_gone(const PublicKey& key, const Beacon& beacon, Time now) {
  gone_[key] = {beacon.boot, beacon.sequence, beacon.sent, now};
  gone_order_.emplace_back(now, key);
  while (gone_order_.size() > kGoneMax || now - gone_order_.front().first >= kGoneKept) {
    auto oldest = gone_.find(gone_order_.front().second);
    // It may have come and gone again since then, or not be gone any more.
    if (oldest != gone_.end() && oldest->second.at == gone_order_.front().first) {
      gone_.erase(oldest);
    }
    gone_order_.pop_front();
  }
}

void Neighbours::expire(Time now) {
  while (!order_.empty() && now - order_.front().neighbour.heard >= kSilence) {
    remove(order_.begin(), now);
  }
}

Neighbours::Time Neighbours::next_expiry() const {
  return order_.empty() ? Time::max() : order_.front().neighbour.heard + kSuspectAfter;
}

std::vector<UdpEndpoint> Neighbours::suspects(Time now, std::size_t most) {
  std::vector<UdpEndpoint> whom;
  for (Entry& entry : order_) {
    if (whom.size() >= most || now - entry.neighbour.heard < kSuspectAfter) break;
    if (entry.asked > 0 && now - entry.asked_at < kAskAgainAfter) continue;
    const auto& addresses = entry.neighbour.addresses;
    whom.push_back(addresses[entry.asked % addresses.size()].udp);
    ++entry.asked;
    entry.asked_at = now;
  }
  return whom;
}

const Neighbour* Neighbours::find(const PublicKey& key) const {
  auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second->neighbour;
}

std::vector<Neighbour> Neighbours::all() const {
  std::vector<Neighbour> all;
  all.reserve(entries_.size());
  for (const Entry& entry : order_) all.push_back(entry.neighbour);
  std::ranges::sort(all, {}, [](const Neighbour& each) { return std::pair(each.since, each.key); });
  return all;
}

bool Neighbours::within_rates(const UdpEndpoint& from, RateBucket* bucket, const Rate& rate,
                              Time now) {
  return sources_.take(from.address, now) && (bucket == nullptr || bucket->take(rate, now)) &&
         all_.take(kVerifyRateOfAll, now);
}

bool Neighbours::verified(const SignedView& view) const {
  return options_.verify ? options_.verify(view) : view.verify();
}

bool Neighbours::named(const PublicKey& key) const {
  return options_.known && options_.known(key);
}

std::size_t Neighbours::keys_of(const IpAddress& address) const {
  auto found = keys_of_.find(address);
  return found == keys_of_.end() ? 0 : found->second;
}

void Neighbours::tell(NeighbourChange change, const Neighbour& neighbour) {
  if (options_.changed) options_.changed(change, neighbour);
}

bool Neighbours::may_log(Time now) {
  if (logged_ && now - *logged_ < kTellAgainAfter) return false;
  logged_ = now;
  return true;
}

}  // namespace weft::node::discovery
