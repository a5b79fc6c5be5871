#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "node/discovery/datagram.h"
#include "node/discovery/source_limits.h"
#include "node/object/beacon.h"
#include "node/object/key.h"
#include "node/object/signed.h"

namespace weft::node::discovery {

inline constexpr std::size_t kNeighboursMax = 4'096;
// Nodes of one machine, or behind one address.
inline constexpr std::size_t kKeysPerAddressMax = 64;
// Of one node, in each family.
inline constexpr std::size_t kAddressesPerFamilyMax = 4;
// Who was not heard for so long is gone. Who was not for the second, longer than two beacons take
// with their jitter, is asked in between: earlier, every lost datagram would be a query.
inline constexpr std::chrono::milliseconds kSilence{2'500};
inline constexpr std::chrono::milliseconds kSuspectAfter{2'200};
inline constexpr std::chrono::milliseconds kAskAgainAfter{100};
// An address over which nothing came for so long is none of the node's any more.
inline constexpr std::chrono::seconds kAddressSilence{10};
// Who is there for so long is not pushed out by any stranger.
inline constexpr std::chrono::seconds kEstablishedAfter{10};
// Of what strangers can make happen, one line in so long.
inline constexpr std::chrono::minutes kTellAgainAfter{10};
// What is remembered of who is gone: longer than an old beacon is within the window of clocks.
inline constexpr std::chrono::seconds kGoneKept = 2 * kClockSkewMax + std::chrono::seconds(1);
inline constexpr std::size_t kGoneMax = 4'096;
// Signatures that are looked at: of one address; of who is no neighbour at that address, by keys
// that our files name and by others; and of all together, some 50 us each.
inline constexpr Rate kVerifyRatePerSource{.per_second = 128, .burst = 256};
inline constexpr Rate kVerifyRateOfNamed{.per_second = 256, .burst = 1'024};
inline constexpr Rate kVerifyRateOfStrangers{.per_second = 1'024, .burst = 4'096};
inline constexpr Rate kVerifyRateOfAll{.per_second = 8'192, .burst = 8'192};
inline constexpr std::size_t kSourcesMax = 8'192;

// One way to reach a node.
struct NeighbourAddress {
  UdpEndpoint udp;  // What its beacons come from; its TLS is at this address, on the beacon's port.
  Deadline::Clock::time_point heard;
};

// A node that is there, as its last beacon has it.
struct Neighbour {
  PublicKey key;
  Beacon beacon;
  // The one that is known longest first: both families. Those that are silent for kAddressSilence
  // go when another one comes.
  std::vector<NeighbourAddress> addresses;
  Deadline::Clock::time_point since;
  Deadline::Clock::time_point heard;
  // Another node has, or had, the same key: its owner should know.
  bool twin = false;
};

// What a datagram was.
enum class Heard : std::uint8_t {
  kNew,      // A node that was not there.
  kChanged,  // Another name, port, catalogue, offers or boot than before.
  kAlive,    // A newer beacon that says the same.
  kAgain,    // The last beacon once more; perhaps from another address.
  kLeft,     // Its node stops.
  // Refused, the cheapest check first:
  kTooLong,
  kMalformed,
  kOwn,      // We sent it.
  kClock,    // Made too long ago or too far ahead.
  kOld,      // An older sequence, or a boot that is over.
  kTwin,     // Another node with the key of one that is there, or with ours.
  kTooMany,  // More than the rate of its address, or of strangers.
  kNoRoom,   // The table is full, or its address has too many keys.
  kForged,   // Not signed by who it says.
};
inline constexpr std::size_t kHeardKinds = static_cast<std::size_t>(Heard::kForged) + 1;
std::string_view to_string(Heard heard);

enum class NeighbourChange : std::uint8_t { kCame, kChanged, kGone };

// The nodes that are there, by their beacons. Pure: no socket and no clock of its own, so it runs
// as well in simulated time. Allocates within its bounds, and nothing for who has not signed. One
// thread; its owner calls `take` for every datagram and `expire` at `next_expiry`.
class Neighbours {
 public:
  using Time = Deadline::Clock::time_point;

  struct Options {
    // Who we are: our own beacons come back from the network.
    PublicKey self = {};
    std::uint64_t boot = 0;
    // Whether our own files name a key: it finds a place in a full table. Null: none.
    std::function<bool(const PublicKey&)> known = {};
    // Called from inside `take` and `expire`, which it must not call. The neighbour is as it is
    // now, or as it was last. Null: nobody is told.
    std::function<void(NeighbourChange, const Neighbour&)> changed = {};
    // For simulations. Null: the signature.
    std::function<bool(const SignedView&)> verify = {};
    std::size_t neighbours_max = kNeighboursMax;
  };

  Neighbours(Options options, const Moment& now);
  Neighbours(const Neighbours&) = delete;
  ~Neighbours();

  Heard take(BytesView datagram, const UdpEndpoint& from, const Moment& now);

  // Lets go of who was silent for kSilence. Cheap when there is nobody.
  void expire(Time now);
  // When somebody may have to be asked or let go of; max() while nobody is there. May have passed:
  // who is asked stays until it is heard or gone.
  Time next_expiry() const;
  // Where to send a query, so that who is only unlucky is not lost: at most `most`, each not again
  // before kAskAgainAfter.
  std::vector<UdpEndpoint> suspects(Time now, std::size_t most);

  // Null where there is none. Until the next call of `take` or `expire`.
  const Neighbour* find(const PublicKey& key) const;
  // All of them, the one that is there longest first.
  std::vector<Neighbour> all() const;
  std::size_t size() const { return entries_.size(); }
  // How many datagrams were what.
  std::uint64_t count(Heard heard) const { return counts_[static_cast<std::size_t>(heard)]; }

 private:
  struct Entry;
  struct Head;
  struct Gone {
    std::uint64_t boot = 0;
    std::uint64_t sequence = 0;
    UnixMs sent = 0;
    Time at = {};
  };
  using Order = std::list<Entry>;
  using Place = Order::iterator;

  Heard judge(BytesView datagram, const UdpEndpoint& from, const Moment& now);
  Heard judge_own(const Head& head, const UdpEndpoint& from, Time now);
  Heard judge_neighbour(Place place, const Head& head, const UdpEndpoint& from, Time now);
  Heard judge_newcomer(const Head& head, const UdpEndpoint& from, Time now);
  Heard renew(Place place, Beacon beacon, const Head& head, const UdpEndpoint& from, Time now);
  void admit(Beacon beacon, const Head& head, const UdpEndpoint& from, Time now);
  // Whether there is room for one more; `victim` is who goes for it, or the end.
  bool find_room(bool named, const IpAddress& address, Time now, Place& victim);
  bool within_rates(const UdpEndpoint& from, RateBucket* bucket, const Rate& rate, Time now);
  bool verified(const SignedView& view) const;
  bool named(const PublicKey& key) const;
  void remove(Place place, Time now);
  void remember_gone(const PublicKey& key, const Beacon& beacon, Time now);
  std::size_t keys_of(const IpAddress& address) const;
  void tell(NeighbourChange change, const Neighbour& neighbour);
  bool may_log(Time now);

  Options options_;
  Order order_;  // Who was heard last at the end.
  std::unordered_map<PublicKey, Place, SeededHash> entries_;
  // How many keys each address brought in.
  std::unordered_map<IpAddress, std::size_t, SeededHash> keys_of_;
  std::unordered_map<PublicKey, Gone, SeededHash> gone_;
  std::deque<std::pair<Time, PublicKey>> gone_order_;
  SourceLimits sources_;
  RateBucket named_;
  RateBucket strangers_;
  RateBucket all_;
  std::optional<Time> logged_;  // What strangers can make happen.
  bool own_twin_ = false;
  std::array<std::uint64_t, kHeardKinds> counts_{};
};

}  // namespace weft::node::discovery
