#include "node/discovery/testing/simulated_network.h"

#include <algorithm>
#include <utility>

#include "node/discovery/discovery.h"

namespace weft::node::discovery::testing {
namespace {

std::size_t head_bytes(bool v6) {
  return v6 ? kHeadBytesV6 : kHeadBytesV4;
}

// Spreads numbers that follow each other: chance that is the same whenever it is asked for.
std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

}  // namespace

SimulatedNetwork::SimulatedNetwork(Options options)
    : options_(std::move(options)), random_(options_.seed) {
  for (std::size_t i = 0; i < options_.nodes; ++i) {
    nodes_.push_back(std::make_unique<Node>());
    nodes_.back()->index = i;
    nodes_.back()->key = test_key(static_cast<std::uint32_t>(i + 1));
    index_of_.emplace(nodes_.back()->key.public_key(), i);
    Since at = options_.start_within * static_cast<std::int64_t>(random_() % 1'000) / 1'000;
    last_start_ = std::max(last_start_, at);
    push({.at = at, .kind = Event::Kind::kStart, .node = i});
  }
}

std::size_t SimulatedNetwork::listeners() const {
  return (options_.nodes + options_.listen_every - 1) / options_.listen_every;
}

std::size_t SimulatedNetwork::pairs() const {
  return listeners() * (options_.nodes - 1);
}

void SimulatedNetwork::push(Event event) {
  event.order = order_++;
  events_.push(std::move(event));
}

UdpEndpoint SimulatedNetwork::endpoint(std::size_t node, bool v6) const {
  auto high = static_cast<std::uint8_t>(node >> 8);
  auto low = static_cast<std::uint8_t>(node);
  if (!v6) return {IpAddress::v4({10, 0, high, low}), 40'000};
  return {IpAddress::v6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, high, low}), 40'000, 2};
}

void SimulatedNetwork::run_until(Since end) {
  while (!events_.empty() && events_.top().at <= end) {
    Event event = events_.top();
    events_.pop();
    now_ = event.at;
    Node& node = *nodes_[event.node];
    switch (event.kind) {
      case Event::Kind::kStart: start(node); break;
      case Event::Kind::kWake:
        if (node.alive && node.wake_at == event.at) wake(node);
        break;
      case Event::Kind::kGroup: deliver_group(event); break;
      case Event::Kind::kDirect: deliver(event, *nodes_[event.to]); break;
    }
  }
  now_ = end;
}

void SimulatedNetwork::start(Node& node) {
  Moment begin = moment(now_);
  std::uint64_t boot = random_();
  node.alive = true;
  node.neighbours.emplace(
      Neighbours::Options{.self = node.key.public_key(),
                          .boot = boot,
                          .changed = [this](NeighbourChange change,
                                            const Neighbour& each) { changed(change, each); },
                          .verify = options_.verify},
      begin);
  Beacon beacon{.name = "node-" + std::to_string(node.index),
                .boot = boot,
                .port = 7421,
                .offers = "demo:math@1.0.0\ndemo:text@2.0.0\n"};
  node.sender.emplace(
      BeaconSender::Options{
          .beacon = std::move(beacon),
          .sign = [key = &node.key](const Beacon& each) { return sign(each, *key); },
          .seed = random_()},
      begin.steady);
  arm(node);
}

// What Discovery does at its timer.
void SimulatedNetwork::wake(Node& node) {
  Moment now = moment(now_);
  node.wake_at = Since::max();
  if (auto beacon = node.sender->due(now)) send_to_groups(node, *beacon);
  while (auto answer = node.sender->answer(now)) send(node, answer->beacon, answer->to);
  node.neighbours->expire(now.steady);
  if (now_ - node.asked >= kAskTurn) {
    node.asked = now_;
    for (const UdpEndpoint& whom : node.neighbours->suspects(now.steady, kAskPerTurn)) {
      ++queries_;
      send(node, query_datagram(), whom);
    }
  }
  arm(node);
}

void SimulatedNetwork::arm(Node& node) {
  auto begin = moment(Since(0)).steady;
  auto next = std::min(node.sender->next(),
                       std::max(node.neighbours->next_expiry(), begin + node.asked + kAskTurn));
  if (next == Neighbours::Time::max()) return;
  Since at = std::max(std::chrono::ceil<Since>(next - begin), now_);
  if (at >= node.wake_at) return;
  node.wake_at = at;
  push({.at = at, .kind = Event::Kind::kWake, .node = node.index});
}

void SimulatedNetwork::send_to_groups(const Node& node, BytesView datagram) {
  auto bytes = std::make_shared<const Bytes>(datagram.begin(), datagram.end());
  for (bool v6 : {false, true}) {
    if (v6 && !options_.v6) continue;
    bytes_sent_ += bytes->size() + head_bytes(v6);
    std::uint64_t id = random_();
    for (std::uint32_t delay = 0; delay < kDelays; ++delay) {
      push({.at = now_ + options_.delay_max * (delay + 1) / kDelays,
            .kind = Event::Kind::kGroup,
            .v6 = v6,
            .delay = delay,
            .id = id,
            .node = node.index,
            .datagram = bytes});
    }
  }
}

void SimulatedNetwork::send(const Node& node, BytesView datagram, const UdpEndpoint& to) {
  bool v6 = !to.address.is_v4();
  const auto& bytes = to.address.bytes();
  std::size_t whom = v6 ? bytes[14] * 256U + bytes[15] : bytes[2] * 256U + bytes[3];
  bytes_sent_ += datagram.size() + head_bytes(v6);
  push({.at = now_ + options_.delay_max * static_cast<std::int64_t>(random_() % 100) / 100,
        .kind = Event::Kind::kDirect,
        .v6 = v6,
        .node = node.index,
        .to = whom,
        .datagram = std::make_shared<const Bytes>(datagram.begin(), datagram.end())});
}

void SimulatedNetwork::deliver_group(const Event& event) {
  for (auto& node : nodes_) {
    if (node->index % options_.listen_every != 0) continue;
    // Each receiver has one of the delays, by chance that each of their events finds again.
    if (mixed(event.id * 1'000'003 + node->index) % kDelays == event.delay) {
      deliver(event, *node);
    }
  }
}

void SimulatedNetwork::deliver(const Event& event, Node& to) {
  if (!to.alive || to.index == event.node || !joined(to.index, event.node)) return;
  if (happens(options_.loss)) return;
  for (int i = happens(options_.doubled) ? 2 : 1; i > 0; --i) {
    bytes_received_ += event.datagram->size() + head_bytes(event.v6);
    UdpEndpoint from = endpoint(event.node, event.v6);
    if (is_query(*event.datagram)) {
      Arrival arrival = event.kind == Event::Kind::kGroup ? Arrival::kGroup : Arrival::kDirect;
      to.sender->asked(event.datagram->size(), from, arrival, moment(now_).steady);
    } else {
      to.neighbours->take(*event.datagram, from, moment(now_));
    }
  }
  arm(to);
}

void SimulatedNetwork::changed(NeighbourChange change, const Neighbour& neighbour) {
  Node& node = *nodes_[index_of_.at(neighbour.key)];
  if (change == NeighbourChange::kCame) {
    ++node.known_by;
    ++known_;
    if (most_known_.empty() || known_ > most_known_.back().first) {
      most_known_.emplace_back(known_, now_);
    }
  } else if (change == NeighbourChange::kGone) {
    --node.known_by;
    --known_;
    node.last_lost = now_;
    if (node.alive && parted_ == 0) ++lost_wrongly_;
  }
}

std::optional<SimulatedNetwork::Since> SimulatedNetwork::when_known(std::size_t pairs) const {
  auto found =
      std::ranges::lower_bound(most_known_, pairs, {}, &std::pair<std::size_t, Since>::first);
  if (found == most_known_.end()) return std::nullopt;
  return found->second;
}

void SimulatedNetwork::leave(std::size_t node) {
  Bytes last;
  BytesView view = nodes_[node]->sender->leave(moment(now_));
  last.assign(view.begin(), view.end());
  nodes_[node]->alive = false;
  for (int i = 0; i < kLeaveRepeats; ++i) send_to_groups(*nodes_[node], last);
}

}  // namespace weft::node::discovery::testing
