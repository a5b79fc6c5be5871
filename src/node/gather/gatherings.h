#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "io/gate.h"
#include "io/pool.h"
#include "io/task.h"
#include "node/library/module_store.h"
#include "node/policy/ledger.h"
#include "node/policy/policy.h"
#include "node/wire/node_client.h"

namespace weft {
class Loop;
}

namespace weft::node::gather {

// Modules that are gathered at a time, in all and for one group. What is beyond is left to the
// client, who sends what nobody else does.
inline constexpr std::size_t kGatheringsMax = 32;
inline constexpr std::size_t kGatheringsOfGroupMax = 8;
// Nodes that are asked at once for one module: so many chunks are on their way, one of each.
inline constexpr std::size_t kPeersAtOnce = 8;
// Of one node without a look at what it has by now.
inline constexpr std::size_t kChunksInARow = 8;
// Of all that is asked of another node. A stop waits no longer for what is on its way.
inline constexpr std::chrono::seconds kPeerSilenceMax{4};
inline constexpr int kPeerFailuresMax = 3;
// A node that does not have the module yet may be about to be asked to store it.
// The pause before it is asked again, which doubles each time.
inline constexpr std::chrono::milliseconds kNotYetPause{50};
inline constexpr int kNotYetMax = 6;
// Between two looks at one that has nothing for us.
inline constexpr std::chrono::milliseconds kIdlePause{20};
// A node of which nothing came for so long makes way for the next.
inline constexpr std::chrono::seconds kUselessAfter{3};
// Without any new chunk for so long, or after so long in all, a gathering ends.
inline constexpr std::chrono::seconds kIdleMax{60};
inline constexpr std::chrono::minutes kGatheringMax{10};
// For so long the nodes that a request named may read the module.
inline constexpr std::chrono::minutes kSharedFor{10};
inline constexpr std::size_t kSharedMax = 1'024;
// Who sent a chunk that is none is not asked again for so long; the oldest is forgotten first.
inline constexpr std::chrono::minutes kShunnedFor{10};
inline constexpr std::size_t kShunnedMax = 256;

// What is borrowed, and outlives the gatherings.
struct GatherParts {
  const SigningKey& key;  // The node's own, which asks.
  const CurrentPolicy& policy;
  Ledger& ledger;
  library::ModuleStore& modules;
  Pool& pool;
};

// Chunks that this node takes from others which are asked to store the same module.
//
// One a node. `begin` on any loop, which the work stays on; the rest from any thread. Destroyed
// after the gate is empty.
class Gatherings {
 public:
  explicit Gatherings(GatherParts parts);
  Gatherings(const Gatherings&) = delete;
  ~Gatherings();

  // Who pays for what is taken.
  struct For {
    std::string group = {};
    // Is told of each part of it that was charged, on the loop.
    std::function<void(std::size_t bytes)> took = {};
  };
  // A group has begun to store the module, of which `there` is here, and says that `peers` store it
  // too: they may read it here, and what is missing is taken from them, those whose keys are in a
  // group of ours.
  void begin(Loop& loop, const library::ChunkList& list, library::ChunkBits there, For whose,
             std::vector<wire::NodeAddress> peers);
  // Whether a request that stored the module named this key.
  bool may_fetch(const Hash& module, const PublicKey& key) const;

  // What is under way ends within kPeerSilenceMax, and nothing else begins.
  void stop();
  Gate& gate() { return gate_; }

 private:
  struct Gathering;
  using GatheringPtr = std::shared_ptr<Gathering>;  // Shared by the tasks that work on it.
  using Time = Deadline::Clock::time_point;
  struct Shared {
    std::set<PublicKey> keys;
    Time until = {};
  };

  void share(const Hash& module, const std::vector<wire::NodeAddress>& peers);
  // Those that may be asked, in an order by chance.
  std::vector<wire::NodeAddress> trusted(std::vector<wire::NodeAddress> peers) const;
  bool enter(const Hash& module, const std::string& group);
  void leave(const Gathering& gathering);
  void shun(const PublicKey& key);
  bool shunned(const PublicKey& key) const;

  bool over(const Gathering& gathering) const;
  Task<void> work(GatheringPtr gathering);
  Task<void> take_from(GatheringPtr gathering, wire::NodeAddress peer);
  Task<void> look_at_own(Gathering& gathering);
  Task<void> take_chunk(Gathering& gathering, const wire::NodeAddress& peer,
                        wire::NodeClient& client, std::string ticket, std::uint32_t index);

  const GatherParts parts_;
  Gate gate_;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;               // Of all that follows.
  std::map<Hash, std::string> under_way_;  // And the group that each is for.
  std::unordered_map<Hash, Shared, HashOfHash> shared_;
  std::deque<Hash> shared_order_;
  std::deque<std::pair<PublicKey, Time>> shunned_;
};

}  // namespace weft::node::gather
