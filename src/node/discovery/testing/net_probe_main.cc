// One node on the network, for tests: weft_net_probe NAME SECONDS [loopback|INTERFACE...]. Prints
// a line for each neighbour that comes or goes, with its addresses; then everybody as JSON; and
// leaves a second later, so that all that began at once have seen each other.

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "io/loop.h"
#include "io/timer.h"
#include "node/discovery/discovery.h"
#include "node/discovery/net_table.h"

namespace {

using namespace weft;
using namespace weft::node;
using namespace weft::node::discovery;

void print(std::string_view what, const Neighbour& neighbour) {
  std::string line = fmt::format("{} {}", what, neighbour.beacon.name);
  for (const NeighbourAddress& each : neighbour.addresses) line += " " + each.udp.text();
  std::puts(line.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  setvbuf(stdout, nullptr, _IOLBF, 0);
  std::string name = argv[1];
  Multicast::Options network;
  for (int i = 3; i < argc; ++i) {
    if (std::string(argv[i]) == "loopback") {
      network.interfaces.loopback = true;
      network.interfaces.names.emplace_back("lo");
    } else {
      network.interfaces.names.emplace_back(argv[i]);
    }
  }
  if (const char* port = std::getenv("WEFT_PROBE_PORT")) {
    network.port = static_cast<std::uint16_t>(std::atoi(port));
  }
  Loop loop;
  SigningKey key = SigningKey::random();
  auto discovery = Discovery::open(
      loop, {.speak = Discovery::Speak{.key = &key, .beacon = {.name = name, .port = 7421}},
             .network = network,
             .known = {},
             .changed = [](NeighbourChange change, const Neighbour& each) {
               print(change == NeighbourChange::kGone ? "gone" : "here", each);
             }});
  if (!discovery) {
    fmt::print(stderr, "{}\n", discovery.error().message());
    return 1;
  }
  Timer end(loop, [&] {
    (*discovery)->leave();
    loop.stop();
  });
  Timer tell(loop, [&] {
    fmt::print("{}", net_json((*discovery)->all(), Deadline::Clock::now()));
    end.arm(Deadline::after(std::chrono::seconds(1)));
  });
  tell.arm(Deadline::after(std::chrono::milliseconds(static_cast<int>(1000 * std::atof(argv[2])))));
  loop.run();
  return 0;
}
