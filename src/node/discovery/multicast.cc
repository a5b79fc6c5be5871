#include "node/discovery/multicast.h"

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/log.h"
#include "io/loop.h"
#include "io/timer.h"
#include "node/discovery/udp_socket.h"

namespace weft::node::discovery {
namespace {

using Descriptor = boost::asio::posix::stream_descriptor;

bool has(const Interface& interface, IpFamily family) {
  return family == IpFamily::kV4 ? interface.v4.has_value() : interface.v6;
}

bool is_among(const Interface& interface, const std::vector<Interface>& all) {
  return std::ranges::any_of(all,
                             [&](const Interface& each) { return each.index == interface.index; });
}

}  // namespace

struct Multicast::Impl {
  // A socket and the loop's wait for it.
  struct Waiting {
    Waiting(Loop& loop, UdpSocket opened)
        : socket(std::move(opened)), descriptor(loop.executor(), socket.fd()) {}
    ~Waiting() { descriptor.release(); }  // The socket closes it.

    UdpSocket socket;
    Descriptor descriptor;
  };
  struct Family {
    IpFamily family;
    std::unique_ptr<Waiting> group;  // On the port that is shared.
    std::unique_ptr<Waiting> own;
    std::vector<Interface> joined = {};
  };

  Impl(Loop& on, Options given, Received to)
      : loop(on), options(std::move(given)), received(std::move(to)), rescan(on, [this] {
          scan();
          rescan.arm(Deadline::after(kRescanEvery));
        }) {}

  Result<void> open();
  Result<void> open(IpFamily family);
  void wait(Waiting& on);
  void readable(Waiting& on);
  void scan();
  void scan(Family& family, const std::vector<Interface>& found);
  bool told(const Result<void>& outcome, const Family& family, const Interface& interface);

  Loop& loop;
  Options options;
  Received received;
  std::vector<Family> families;
  // What failed last, for each family and interface: told when it is another.
  std::map<std::pair<IpFamily, std::string>, std::string> failures;
  Timer rescan;
};

Result<void> Multicast::Impl::open(IpFamily family) {
  TRY(UdpSocket group, UdpSocket::open(family, options.port));
  TRY(UdpSocket own, UdpSocket::open(family, 0));
  families.push_back({family, std::make_unique<Waiting>(loop, std::move(group)),
                      std::make_unique<Waiting>(loop, std::move(own))});
  return {};
}

Result<void> Multicast::Impl::open() {
  std::optional<Error> failed;
  for (IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    if (!(family == IpFamily::kV4 ? options.v4 : options.v6)) continue;
    auto opened = open(family);
    if (opened) continue;
    log::warn("discovery", "nothing is heard or said in one family",
              {{"family", to_string(family)}, {"why", opened.error().message()}});
    failed = std::move(opened).error();
  }
  if (families.empty()) {
    if (!failed) return failure(Errc::kInvalid, "discovery is without IPv4 and without IPv6");
    return std::unexpected(*std::move(failed));
  }
  scan();
  rescan.arm(Deadline::after(kRescanEvery));
  for (Family& family : families) {
    wait(*family.group);
    wait(*family.own);
  }
  return {};
}

void Multicast::Impl::wait(Waiting& on) {
  on.descriptor.async_wait(Descriptor::wait_read,
                           [this, &on](const boost::system::error_code& error) {
                             // Destroying this cancels the wait.
                             if (!error) readable(on);
                           });
}

void Multicast::Impl::readable(Waiting& on) {
  Loop::Turn turn(loop);
  std::array<std::uint8_t, kReceiveBytes> buffer;
  for (std::size_t i = 0; i < kReceivePerTurn; ++i) {
    auto datagram = on.socket.receive(buffer);
    if (!datagram) break;
    if (datagram->from.port == 0) continue;
    received(BytesView(buffer).first(datagram->bytes), datagram->from, datagram->arrival);
  }
  wait(on);
}

void Multicast::Impl::scan() {
  auto found = interfaces(options.interfaces);
  if (!found) {
    // It stays as it was; `failures` of no interface holds what was told.
    std::string& last = failures[{IpFamily::kV4, ""}];
    if (last != found.error().message()) log::warn("discovery", found.error().message());
    last = found.error().message();
    return;
  }
  for (Family& family : families) scan(family, *found);
}

void Multicast::Impl::scan(Family& family, const std::vector<Interface>& found) {
  std::vector<Interface> joined;
  for (const Interface& each : found) {
    if (!has(each, family.family)) continue;
    bool is_member = is_among(each, family.joined);
    if (is_member || told(family.group->socket.join(each), family, each)) joined.push_back(each);
  }
  for (const Interface& each : family.joined) {
    if (is_among(each, joined)) continue;
    family.group->socket.leave(each);
    failures.erase({family.family, each.name});
    log::info("discovery", "an interface is gone",
              {{"interface", each.name}, {"family", to_string(family.family)}});
  }
  family.joined = std::move(joined);
}

// Whether it went well. What did not is told when it was not told before.
bool Multicast::Impl::told(const Result<void>& outcome, const Family& family,
                           const Interface& interface) {
  auto place = std::pair(family.family, interface.name);
  if (outcome) {
    if (!failures.empty() && failures.erase(place) > 0) {
      log::info("discovery", "an interface works again",
                {{"interface", interface.name}, {"family", to_string(family.family)}});
    }
    return true;
  }
  std::string& last = failures[place];
  if (last == outcome.error().message()) return false;
  last = outcome.error().message();
  log::warn("discovery", "an interface cannot be used: tried again",
            {{"interface", interface.name}, {"family", to_string(family.family)}, {"why", last}});
  return false;
}

Multicast::Multicast(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Multicast::~Multicast() = default;

Result<std::unique_ptr<Multicast>> Multicast::open(Loop& loop, Options options, Received received) {
  auto impl = std::make_unique<Impl>(loop, std::move(options), std::move(received));
  TRY_VOID(impl->open());
  return std::unique_ptr<Multicast>(new Multicast(std::move(impl)));
}

std::size_t Multicast::send_to_groups(BytesView datagram) {
  std::size_t sent = 0;
  for (Impl::Family& family : impl_->families) {
    for (const Interface& each : family.joined) {
      auto outcome = family.own->socket.send_to_group(datagram, each, impl_->options.port);
      if (impl_->told(outcome, family, each)) ++sent;
    }
  }
  return sent;
}

bool Multicast::send(BytesView datagram, const UdpEndpoint& to) {
  for (Impl::Family& family : impl_->families) {
    if ((family.family == IpFamily::kV4) != to.address.is_v4()) continue;
    return family.own->socket.send(datagram, to).has_value();
  }
  return false;
}

std::size_t Multicast::joined() const {
  std::size_t count = 0;
  for (const Impl::Family& family : impl_->families) count += family.joined.size();
  return count;
}

}  // namespace weft::node::discovery
