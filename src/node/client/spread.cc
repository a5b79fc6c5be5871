#include "node/client/spread.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <random>

#include "io/loop.h"
#include "node/wire/peers.h"
#include "remote/http/signal.h"

namespace weft::node::client {
namespace {

using library::ChunkBits;
using library::ChunkList;
using Clock = Deadline::Clock;

// What all tasks of one spread share, on its loop; it lives until the last of them has ended.
struct Spreading {
  Loop& loop;
  const ChunkList& list;
  std::function<Result<Bytes>(std::uint32_t)> chunk;
  Deadline deadline;
  std::vector<std::unique_ptr<RemoteNode>> nodes = {};
  std::vector<SpreadTo> to = {};
  std::deque<std::uint32_t> queue = {};  // Chunks that were sent to nobody,
  std::deque<std::uint32_t> said = {};   // and those which a node says that it has.
  std::size_t busy = 0;
  remote::Signal done{loop};
  std::minstd_rand random{std::random_device{}()};

  // The others, as many as a request may name.
  std::vector<wire::NodeAddress> peers_of(std::size_t which) {
    std::vector<wire::NodeAddress> peers;
    for (std::size_t i = 0; i < to.size(); ++i) {
      if (i != which) peers.push_back(to[i].address);
    }
    std::ranges::shuffle(peers, random);
    if (peers.size() > wire::kPeersMax) peers.resize(wire::kPeersMax);
    return peers;
  }
};

Task<void> send(Spreading& all, std::size_t which, const std::string& ticket, std::uint32_t index) {
  CO_TRY(Bytes bytes, all.chunk(index));
  CO_TRY_VOID(co_await all.nodes[which]->client().write_chunk(ticket, index, std::move(bytes),
                                                              all.deadline));
  ++all.to[which].chunks_sent;
  co_return Result<void>();
}

// A chunk that `there` is without: rather one that was sent to nobody.
std::uint32_t next_for(Spreading& all, const ChunkBits& there) {
  for (std::deque<std::uint32_t>* from : {&all.queue, &all.said}) {
    auto found = std::ranges::find_if(*from, [&](auto index) { return !there.has(index); });
    if (found == from->end()) continue;
    std::uint32_t index = *found;
    from->erase(found);
    return index;
  }
  std::size_t index = all.random() % there.count();
  while (there.has(index)) index = (index + 1) % there.count();
  return static_cast<std::uint32_t>(index);
}

// Until the node has all: it gets the others' chunks, and ours where it gets none.
Task<void> watch(Spreading& all, std::size_t which, std::string ticket, ChunkBits there) {
  auto news = Clock::now();
  bool sending = false;
  while (!there.all()) {
    if (all.deadline.passed()) {
      co_return failure(Errc::kTimeout,
                        fmt::format("it has {} of {} chunks", there.there(), there.count()));
    }
    // The node answers when it has all of it, or after a while.
    auto known = sending ? 0 : static_cast<std::uint32_t>(there.count() - 1);
    CO_TRY(auto now, co_await all.nodes[which]->have(ticket, all.list, known, all.deadline));
    if (now.there() > there.there()) news = Clock::now();
    there = std::move(now);
    sending = Clock::now() - news >= kStalledAfter;
    if (!sending) continue;
    for (std::size_t i = 0; i < kChunksAtOnce && !there.all(); ++i) {
      std::uint32_t index = next_for(all, there);
      CO_TRY_VOID(co_await send(all, which, ticket, index));
      there.set(index);
    }
  }
  co_return Result<void>();
}

Task<void> serve(Spreading& all, std::size_t which) {
  CO_TRY(auto opened,
         co_await all.nodes[which]->open_store(all.list, all.peers_of(which), all.deadline));
  // What somebody has already, the others take from there; if it is true.
  std::erase_if(all.queue, [&](std::uint32_t index) {
    if (!opened.there.has(index)) return false;
    all.said.push_back(index);
    return true;
  });
  while (!all.queue.empty()) {
    std::uint32_t index = all.queue.front();
    all.queue.pop_front();
    auto sent = co_await send(all, which, opened.ticket, index);
    if (!sent) {
      all.queue.push_back(index);
      co_return sent;
    }
  }
  co_return co_await watch(all, which, std::move(opened.ticket), std::move(opened.there));
}

}  // namespace

Task<std::vector<SpreadTo>> spread(Loop& loop, std::vector<wire::NodeAddress> nodes,
                                   const SigningKey& key, const ChunkList& list,
                                   std::function<Result<Bytes>(std::uint32_t)> chunk,
                                   Deadline deadline) {
  if (nodes.empty() || nodes.size() > kSpreadNodesMax) {
    co_return failure(Errc::kLimit,
                      fmt::format("{} nodes: write 1 to {}", nodes.size(), kSpreadNodesMax));
  }
  Spreading all{.loop = loop, .list = list, .chunk = std::move(chunk), .deadline = deadline};
  for (wire::NodeAddress& each : nodes) {
    all.nodes.push_back(std::make_unique<RemoteNode>(loop, each, key));
    all.to.push_back({.address = std::move(each)});
  }
  for (std::uint32_t i = 0; i < list.count(); ++i) all.queue.push_back(i);
  all.busy = all.to.size();
  for (std::size_t i = 0; i < all.to.size(); ++i) {
    loop.spawn(serve(all, i), [&all, i](Result<void> ended) {
      if (!ended) all.to[i].failed = std::move(ended).error();
      if (--all.busy == 0) all.done.raise();
    });
  }
  CO_TRY_VOID(co_await all.done.wait(Deadline::never()));
  co_return std::move(all.to);
}

}  // namespace weft::node::client
