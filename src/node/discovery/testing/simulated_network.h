#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <unordered_map>
#include <utility>
#include <vector>

#include "node/discovery/beacon_sender.h"
#include "node/discovery/neighbours.h"
#include "node/discovery/testing/test_beacons.h"

namespace weft::node::discovery::testing {

// What is on the wire beside a datagram: the heads of IP and UDP.
inline constexpr std::size_t kHeadBytesV4 = 28;
inline constexpr std::size_t kHeadBytesV6 = 48;

// Nodes with the real Neighbours and the real BeaconSender, in a network and a time that are made
// up: datagrams are lost, late and doubled by a seed's chance. The same seed, the same run.
class SimulatedNetwork {
 public:
  using Since = std::chrono::microseconds;  // The beginning.

  struct Options {
    std::uint64_t seed = 1;
    std::size_t nodes = 100;
    // Of so many nodes one listens to the groups; all speak.
    std::size_t listen_every = 1;
    bool v6 = true;  // Beside IPv4.
    double loss = 0.01;
    double doubled = 0.01;
    Since delay_max = std::chrono::milliseconds(5);
    // They start by chance within this time.
    Since start_within = std::chrono::milliseconds(50);
    std::function<bool(const SignedView&)> verify = {};  // Null: the real one.
  };

  explicit SimulatedNetwork(Options options);

  void run_until(Since end);
  Since now() const { return now_; }
  // Pairs of a node that listens and another one.
  std::size_t pairs() const;
  std::size_t listeners() const;

  // Pairs of nodes of which one knows the other now; when they were first `pairs`.
  std::size_t known() const { return known_; }
  std::optional<Since> when_known(std::size_t pairs) const;
  // Of `node`: how many know it, and when the last of them lost it.
  std::size_t knowing(std::size_t node) const { return nodes_[node]->known_by; }
  Since last_lost(std::size_t node) const { return nodes_[node]->last_lost; }
  // Nodes that were lost while they were there.
  std::size_t lost_wrongly() const { return lost_wrongly_; }
  Since last_start() const { return last_start_; }

  void kill(std::size_t node) { nodes_[node]->alive = false; }
  void leave(std::size_t node);
  // From now on nothing goes between the nodes below `first` and the others; 0 ends it.
  void part(std::size_t first) { parted_ = first; }

  // Bytes on the wire, heads included, of all nodes.
  std::uint64_t bytes_sent() const { return bytes_sent_; }
  std::uint64_t bytes_received() const { return bytes_received_; }
  std::uint64_t queries() const { return queries_; }
  const Neighbours& neighbours(std::size_t node) const { return *nodes_[node]->neighbours; }

 private:
  using Datagram = std::shared_ptr<const Bytes>;  // Of all events that carry it.
  // Receivers of a multicast are told apart by chance into so many delays.
  static constexpr std::uint32_t kDelays = 8;

  struct Node {
    std::size_t index = 0;
    SigningKey key = SigningKey::random();
    std::optional<Neighbours> neighbours = {};
    std::optional<BeaconSender> sender = {};
    bool alive = false;
    Since wake_at = Since::max();
    Since asked = Since(-1'000'000);
    std::size_t known_by = 0;
    Since last_lost = {};
  };
  struct Event {
    enum class Kind : std::uint8_t { kStart, kWake, kGroup, kDirect };
    Since at = {};
    std::uint64_t order = 0;
    Kind kind = Kind::kWake;
    bool v6 = false;
    std::uint32_t delay = 0;  // kGroup: for those of this delay,
    std::uint64_t id = 0;     // which this decides.
    std::size_t node = 0;     // Who sends; for kStart and kWake, whose it is.
    std::size_t to = 0;       // kDirect
    Datagram datagram = {};

    bool operator>(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  void push(Event event);
  void start(Node& node);
  void wake(Node& node);
  void arm(Node& node);
  void send_to_groups(const Node& node, BytesView datagram);
  void send(const Node& node, BytesView datagram, const UdpEndpoint& to);
  void deliver_group(const Event& event);
  void deliver(const Event& event, Node& to);
  void changed(NeighbourChange change, const Neighbour& neighbour);
  bool joined(std::size_t a, std::size_t b) const {
    return parted_ == 0 || (a < parted_) == (b < parted_);
  }
  bool happens(double chance) { return std::uniform_real_distribution<>()(random_) < chance; }
  UdpEndpoint endpoint(std::size_t node, bool v6) const;

  Options options_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unordered_map<PublicKey, std::size_t, HashOfKey> index_of_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t order_ = 0;
  Since now_ = {};
  Since last_start_ = {};
  std::size_t parted_ = 0;
  std::size_t known_ = 0;
  std::vector<std::pair<std::size_t, Since>> most_known_;  // Each time that it was more than ever.
  std::size_t lost_wrongly_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t queries_ = 0;
};

}  // namespace weft::node::discovery::testing
