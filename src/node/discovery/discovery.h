#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "node/discovery/beacon_sender.h"
#include "node/discovery/multicast.h"
#include "node/discovery/neighbours.h"
#include "node/object/key.h"

namespace weft {
class Loop;
}

namespace weft::node::discovery {

// Queries of `suspects` that are sent in one turn; the rest waits for the next.
inline constexpr std::size_t kAskPerTurn = 8;
inline constexpr std::chrono::milliseconds kAskTurn{50};

// Says that a node is there and knows who else is. Without `speak` it only asks and listens, as
// `weft net` does.
//
// Made, used and destroyed on its loop's thread. Destroying it sends nothing: call `leave` first
// where the node stops.
class Discovery {
 public:
  struct Speak {
    const SigningKey* key = nullptr;  // Outlives this.
    Beacon beacon = {};               // Name, port, catalogue, offers; the boot is made here.
  };
  struct Options {
    std::optional<Speak> speak = {};
    Multicast::Options network = {};
    std::function<bool(const PublicKey&)> known = {};
    // See Neighbours. It may call anything of this but `leave`.
    std::function<void(NeighbourChange, const Neighbour&)> changed = {};
  };

  static Result<std::unique_ptr<Discovery>> open(Loop& loop, Options options);
  ~Discovery();
  Discovery(const Discovery&) = delete;

  // Null, or until the loop's next turn.
  const Neighbour* find(const PublicKey& key) const;
  std::vector<Neighbour> all() const;
  std::uint64_t count(Heard heard) const;

  // Asks everybody, or one address where multicast does not reach, for a beacon.
  void ask();
  void ask(const UdpEndpoint& whom);
  // What the node offers is another.
  void change(const Hash& catalogue, std::string offers);
  // Tells everybody that this node stops; it says nothing more.
  void leave();

 private:
  struct Impl;
  explicit Discovery(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weft::node::discovery
