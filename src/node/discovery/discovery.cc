#include "node/discovery/discovery.h"

#include <algorithm>
#include <random>
#include <utility>

#include "io/loop.h"
#include "io/timer.h"

namespace weft::node::discovery {
namespace {

std::uint64_t by_chance() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace

struct Discovery::Impl {
  Impl(Loop& on, Options given);

  void heard(BytesView datagram, const UdpEndpoint& from, Arrival arrival);
  void turn();
  void ask_suspects(const Moment& now);
  void arm();

  std::optional<Speak> speak;
  std::optional<BeaconSender> sender;
  std::optional<Neighbours> neighbours;
  Bytes query = query_datagram();
  Deadline::Clock::time_point asked = {};  // When suspects were last asked.
  Timer timer;
  std::unique_ptr<Multicast> network;  // Last: it calls what is above.
};

Discovery::Impl::Impl(Loop& on, Options given)
    : speak(std::move(given.speak)), timer(on, [this] { turn(); }) {
  Moment now = Moment::now();
  Neighbours::Options options{.known = std::move(given.known), .changed = std::move(given.changed)};
  if (speak) {
    speak->beacon.boot = by_chance();
    options.self = speak->key->public_key();
    options.boot = speak->beacon.boot;
    sender.emplace(
        BeaconSender::Options{
            .beacon = speak->beacon,
            .sign = [key = speak->key](const Beacon& beacon) { return node::sign(beacon, *key); },
            .seed = by_chance()},
        now.steady);
  }
  neighbours.emplace(std::move(options), now);
}

void Discovery::Impl::heard(BytesView datagram, const UdpEndpoint& from, Arrival arrival) {
  Moment now = Moment::now();
  if (is_query(datagram)) {
    if (sender) sender->asked(datagram.size(), from, arrival, now.steady);
  } else {
    neighbours->take(datagram, from, now);
  }
  arm();
}

void Discovery::Impl::turn() {
  Moment now = Moment::now();
  if (sender) {
    if (auto beacon = sender->due(now)) network->send_to_groups(*beacon);
    while (auto answer = sender->answer(now)) network->send(answer->beacon, answer->to);
  }
  neighbours->expire(now.steady);
  if (now.steady - asked >= kAskTurn) ask_suspects(now);
  arm();
}

void Discovery::Impl::ask_suspects(const Moment& now) {
  asked = now.steady;
  for (const UdpEndpoint& whom : neighbours->suspects(now.steady, kAskPerTurn)) {
    network->send(query, whom);
  }
}

void Discovery::Impl::arm() {
  auto next = std::max(neighbours->next_expiry(), asked + kAskTurn);
  if (sender) next = std::min(next, sender->next());
  // Nothing that was heard makes it later than it is: then the timer finds nothing to do.
  if (timer.armed() && timer.deadline().when() <= next) return;
  if (next == Deadline::Clock::time_point::max()) return;
  timer.arm(Deadline::at(next));
}

Discovery::Discovery(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Discovery::~Discovery() = default;

Result<std::unique_ptr<Discovery>> Discovery::open(Loop& loop, Options options) {
  Multicast::Options network = std::move(options.network);
  auto impl = std::make_unique<Impl>(loop, std::move(options));
  TRY(impl->network, Multicast::open(loop, std::move(network),
                                     [each = impl.get()](BytesView datagram,
                                                         const UdpEndpoint& from, Arrival arrival) {
                                       each->heard(datagram, from, arrival);
                                     }));
  impl->arm();
  return std::unique_ptr<Discovery>(new Discovery(std::move(impl)));
}

const Neighbour* Discovery::find(const PublicKey& key) const {
  return impl_->neighbours->find(key);
}

std::vector<Neighbour> Discovery::all() const {
  return impl_->neighbours->all();
}

std::uint64_t Discovery::count(Heard heard) const {
  return impl_->neighbours->count(heard);
}

void Discovery::ask() {
  impl_->network->send_to_groups(impl_->query);
}

void Discovery::ask(const UdpEndpoint& whom) {
  impl_->network->send(impl_->query, whom);
}

void Discovery::change(const Hash& catalogue, std::string offers) {
  if (!impl_->sender) return;
  impl_->sender->change(catalogue, std::move(offers), Deadline::Clock::now());
  impl_->arm();
}

void Discovery::leave() {
  if (!impl_->sender) return;
  BytesView last = impl_->sender->leave(Moment::now());
  for (int i = 0; i < kLeaveRepeats; ++i) impl_->network->send_to_groups(last);
}

}  // namespace weft::node::discovery
