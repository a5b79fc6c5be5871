#include "node/gather/gatherings.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/check.h"
#include "base/log.h"
#include "io/blocking.h"
#include "io/loop.h"
#include "node/client/remote_node.h"
#include "node/wire/peers.h"
#include "remote/http/signal.h"

namespace weft::node::gather {
namespace {

using library::ChunkBits;
using library::ChunkList;
using Clock = Deadline::Clock;

Deadline soon() {
  return Deadline::after(kPeerSilenceMax);
}

}  // namespace

// One module that comes from others. On one loop.
struct Gatherings::Gathering {
  Gathering(Loop& on, ChunkList all, ChunkBits there, For whose,
            std::vector<wire::NodeAddress> peers, Gate::Pass inside)
      : loop(on),
        list(std::move(all)),
        group(std::move(whose.group)),
        took(std::move(whose.took)),
        waiting(peers.begin(), peers.end()),
        pass(std::move(inside)),
        mine(std::move(there)),
        asked(list.count()) {}

  // The chunk that the fewest have of those which this one has, we do not, and nobody is asked for.
  std::optional<std::uint32_t> next_of(const ChunkBits& there) {
    std::optional<std::uint32_t> best;
    std::size_t best_count = 0;
    std::size_t count = list.count();
    std::size_t begin = random() % count;
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t index = (begin + i) % count;
      if (!there.has(index) || mine.has(index) || asked[index]) continue;
      auto having = static_cast<std::size_t>(
          std::ranges::count_if(others, [&](const auto& each) { return each.second.has(index); }));
      if (best && having >= best_count) continue;
      best = static_cast<std::uint32_t>(index);
      best_count = having;
    }
    return best;
  }

  Loop& loop;
  const ChunkList list;
  const std::string group;
  const std::function<void(std::size_t)> took;
  std::deque<wire::NodeAddress> waiting;  // Not asked now.
  Gate::Pass pass;
  ChunkBits mine;
  std::vector<bool> asked;
  std::map<PublicKey, ChunkBits> others;  // Of those that are asked now.
  std::size_t workers = 0;
  std::size_t taken = 0;
  std::set<PublicKey> givers;
  bool failed = false;
  Clock::time_point began = Clock::now();
  Clock::time_point news = Clock::now();
  std::minstd_rand random{std::random_device{}()};
};

Gatherings::Gatherings(GatherParts parts) : parts_(parts) {}

Gatherings::~Gatherings() = default;

void Gatherings::stop() {
  stopping_ = true;
  gate_.close();
}

void Gatherings::share(const Hash& module, const std::vector<wire::NodeAddress>& peers) {
  std::lock_guard hold(mutex_);
  if (!shared_.contains(module)) {
    shared_order_.push_back(module);
    if (shared_order_.size() > kSharedMax) {
      shared_.erase(shared_order_.front());
      shared_order_.pop_front();
    }
  }
  Shared& shared = shared_[module];
  Time now = Clock::now();
  // Of an earlier request, what is over is not renewed.
  if (shared.until < now || shared.keys.size() > wire::kPeersMax) shared.keys.clear();
  for (const wire::NodeAddress& peer : peers) shared.keys.insert(peer.key);
  shared.until = now + kSharedFor;
}

bool Gatherings::may_fetch(const Hash& module, const PublicKey& key) const {
  std::lock_guard hold(mutex_);
  auto found = shared_.find(module);
  return found != shared_.end() && found->second.until > Clock::now() &&
         found->second.keys.contains(key);
}

void Gatherings::shun(const PublicKey& key) {
  std::lock_guard hold(mutex_);
  shunned_.emplace_back(key, Clock::now() + kShunnedFor);
  if (shunned_.size() > kShunnedMax) shunned_.pop_front();
}

bool Gatherings::shunned(const PublicKey& key) const {
  std::lock_guard hold(mutex_);
  Time now = Clock::now();
  return std::ranges::any_of(
      shunned_, [&](const auto& each) { return each.first == key && each.second > now; });
}

std::vector<wire::NodeAddress> Gatherings::trusted(std::vector<wire::NodeAddress> peers) const {
  auto policy = parts_.policy.get();
  std::erase_if(peers, [&](const wire::NodeAddress& each) {
    return each.key == parts_.key.public_key() || policy->groups.of(each.key).empty();
  });
  std::ranges::shuffle(peers, std::minstd_rand(std::random_device{}()));
  return peers;
}

bool Gatherings::enter(const Hash& module, const std::string& group) {
  std::lock_guard hold(mutex_);
  auto of_group =
      std::ranges::count(under_way_, group, &std::pair<const Hash, std::string>::second);
  if (under_way_.size() >= kGatheringsMax ||
      static_cast<std::size_t>(of_group) >= kGatheringsOfGroupMax) {
    return false;
  }
  return under_way_.emplace(module, group).second;
}

void Gatherings::leave(const Gathering& gathering) {
  {
    std::lock_guard hold(mutex_);
    under_way_.erase(gathering.list.name());
  }
  if (gathering.taken == 0) return;
  auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - gathering.began);
  log::info("node", "chunks of a module were taken from other nodes",
            {{"module", gathering.list.name().text()},
             {"chunks", std::to_string(gathering.taken)},
             {"of", std::to_string(gathering.list.count())},
             {"nodes", std::to_string(gathering.givers.size())},
             {"ms", std::to_string(took.count())}});
}

void Gatherings::begin(Loop& loop, const ChunkList& list, ChunkBits there, For whose,
                       std::vector<wire::NodeAddress> peers) {
  if (peers.empty() || stopping_) return;
  share(list.name(), peers);
  if (there.all()) return;
  peers = trusted(std::move(peers));
  auto pass = gate_.enter();
  if (peers.empty() || !pass || !enter(list.name(), whose.group)) return;
  std::size_t workers = std::min(peers.size(), kPeersAtOnce);
  auto gathering = std::make_shared<Gathering>(loop, list, std::move(there), std::move(whose),
                                               std::move(peers), *std::move(pass));
  gathering->workers = workers;
  for (std::size_t i = 0; i < workers; ++i) {
    loop.spawn(work(gathering), [this, gathering](Result<void>) {
      if (--gathering->workers == 0) leave(*gathering);
    });
  }
}

bool Gatherings::over(const Gathering& gathering) const {
  auto now = Clock::now();
  return stopping_ || gathering.failed || gathering.mine.all() || now - gathering.news > kIdleMax ||
         now - gathering.began > kGatheringMax;
}

// One node after the other.
Task<void> Gatherings::work(GatheringPtr gathering) {
  while (!gathering->waiting.empty() && !over(*gathering)) {
    wire::NodeAddress peer = std::move(gathering->waiting.front());
    gathering->waiting.pop_front();
    if (shunned(peer.key)) continue;
    auto taken = co_await take_from(gathering, peer);
    gathering->others.erase(peer.key);
    if (taken) {
      gathering->waiting.push_back(std::move(peer));  // It was only of no use for a while.
    } else if (!over(*gathering)) {
      log::info("node", "another node gives no chunks",
                {{"node", peer.text()}, {"why", taken.error().message()}});
    }
  }
  co_return Result<void>();
}

// What the client sends comes into the same store.
Task<void> Gatherings::look_at_own(Gathering& gathering) {
  CO_TRY(auto have, co_await blocking(parts_.pool, gathering.loop,
                                      [&modules = parts_.modules, name = gathering.list.name()] {
                                        return modules.have(name);
                                      }));
  // What was looked at before the last chunk came says less than is known.
  if (have.there() > gathering.mine.there()) {
    gathering.news = Clock::now();
    gathering.mine = std::move(have);
  }
  co_return Result<void>();
}

// Fails where the node is not to be asked again.
Task<void> Gatherings::take_from(GatheringPtr gathering, wire::NodeAddress peer) {
  Gathering& mine = *gathering;
  client::RemoteNode node(mine.loop, peer, parts_.key);
  auto ticket = co_await node.open_fetch(mine.list, soon());
  for (int tries = 0; !ticket && tries < kNotYetMax && !over(mine); ++tries) {
    if (ticket.error().code() != Errc::kNotFound) break;
    CO_TRY_VOID(co_await remote::pause(mine.loop, Deadline::after(kNotYetPause * (1 << tries))));
    ticket = co_await node.open_fetch(mine.list, soon());
  }
  if (!ticket) co_return std::unexpected(std::move(ticket).error());
  auto useful = Clock::now();
  std::uint32_t known = 0;
  for (int failures = 0; !over(mine);) {
    auto there = co_await node.have(*ticket, mine.list, known, soon());
    if (!there) {
      if (++failures > kPeerFailuresMax) co_return std::unexpected(std::move(there).error());
      CO_TRY_VOID(co_await remote::pause(mine.loop, Deadline::after(kNotYetPause)));
      continue;
    }
    mine.others[peer.key] = *there;
    if (auto looked = co_await look_at_own(mine); !looked) {
      mine.failed = true;
      co_return looked;
    }
    // Once there is nothing that it has and we want, it is asked for more than that.
    known = static_cast<std::uint32_t>(there->there());
    for (std::size_t i = 0; i < kChunksInARow && !over(mine); ++i) {
      auto index = mine.next_of(*there);
      if (!index) break;
      known = 0;
      mine.asked[*index] = true;
      auto taken = co_await take_chunk(mine, peer, node.client(), *ticket, *index);
      mine.asked[*index] = false;
      if (taken) {
        failures = 0;
        useful = Clock::now();
      } else if (taken.error().code() == Errc::kCorrupt || ++failures > kPeerFailuresMax) {
        co_return taken;
      }
    }
    if (Clock::now() - useful > kUselessAfter && !mine.waiting.empty()) break;
    // Nothing was taken. One that has all does not wait with its answer, nor does one that lies.
    bool idle = known == there->there() && !over(mine);
    if (idle) CO_TRY_VOID(co_await remote::pause(mine.loop, Deadline::after(kIdlePause)));
  }
  co_return Result<void>();
}

Task<void> Gatherings::take_chunk(Gathering& gathering, const wire::NodeAddress& peer,
                                  wire::NodeClient& client, std::string ticket,
                                  std::uint32_t index) {
  CO_TRY(Bytes chunk, co_await client.read_chunk(std::move(ticket), index, soon()));
  Amounts amounts;
  amounts[QuotaKind::kNetworkIn] = chunk.size();
  auto charge = parts_.ledger.take(gathering.group, amounts, unix_now());
  if (!charge) {
    gathering.failed = true;
    co_return failure(Errc::kLimit, charge.error().message());
  }
  charge->settle(amounts);
  if (gathering.took) gathering.took(chunk.size());
  auto put =
      co_await blocking(parts_.pool, gathering.loop,
                        [&modules = parts_.modules, name = gathering.list.name(), index,
                         chunk = std::move(chunk)] { return modules.put(name, index, chunk); });
  if (put) {
    gathering.mine.set(index);
    gathering.news = Clock::now();
    gathering.givers.insert(peer.key);
    ++gathering.taken;
    co_return Result<void>();
  }
  if (put.error().code() == Errc::kCorrupt) {
    shun(peer.key);
    log::warn("node", "another node sent a chunk that is none: it is not asked for a while",
              {{"node", peer.text()},
               {"module", gathering.list.name().text()},
               {"chunk", std::to_string(index)}});
  } else {
    gathering.failed = true;  // The module is gone, or the disk is full.
  }
  co_return std::unexpected(std::move(put).error());
}

}  // namespace weft::node::gather
