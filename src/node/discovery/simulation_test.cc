// Shows in simulated time what a network of nodes comes to: that all know each other within a
// second of a cold start, that a lost node is noticed within 3 s and one that leaves at once, that
// a network which parted heals, and how many bytes a second each node sends and hears for it. The
// seed is printed; WEFT_SEED sets it.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <random>

#include "node/discovery/testing/simulated_network.h"

namespace weft::node::discovery {
namespace {

using namespace std::chrono_literals;
using testing::SimulatedNetwork;
using Since = SimulatedNetwork::Since;

// A beacon in both families, with its heads, and what is asked where one was lost.
constexpr double kBytesPerNodePerSecondMax = 700;

std::uint64_t seed_of_run() {
  std::uint64_t seed = std::random_device{}();
  if (const char* given = std::getenv("WEFT_SEED")) seed = std::strtoull(given, nullptr, 10);
  fmt::print("WEFT_SEED={}\n", seed);
  return seed;
}

double ms(Since time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

bool trusted(const SignedView&) {
  return true;
}

// From cold to quiet, and then without one.
void live_and_lose_one(SimulatedNetwork::Options options) {
  std::size_t nodes = options.nodes;
  SimulatedNetwork network(std::move(options));
  network.run_until(1500ms);
  auto known = network.when_known(network.pairs());
  ASSERT_TRUE(known) << network.known() << " of " << network.pairs();
  EXPECT_LE(*known - network.last_start(), 1s);

  auto sent = static_cast<double>(network.bytes_sent());
  auto heard = static_cast<double>(network.bytes_received());
  constexpr auto kMeasured = 1s;
  network.run_until(network.now() + kMeasured);
  sent = (static_cast<double>(network.bytes_sent()) - sent) / static_cast<double>(nodes);
  heard = (static_cast<double>(network.bytes_received()) - heard) /
          static_cast<double>(network.listeners());

  Since dead = network.now();
  network.kill(nodes / 2);
  network.run_until(dead + 3s);
  EXPECT_EQ(network.knowing(nodes / 2), 0U);
  EXPECT_LE(network.last_lost(nodes / 2) - dead, 3s);
  fmt::print(
      "{} nodes, {} of them listening: all known {:.0f} ms after the last start, a lost one "
      "noticed "
      "by all after {:.0f} ms; each sends {:.0f} and hears {:.0f} bytes a second; {} queries\n",
      nodes, network.listeners(), ms(*known - network.last_start()),
      ms(network.last_lost(nodes / 2) - dead), sent, heard, network.queries());
  EXPECT_LE(sent, kBytesPerNodePerSecondMax);
  EXPECT_LE(heard, kBytesPerNodePerSecondMax * static_cast<double>(nodes));
  EXPECT_EQ(network.lost_wrongly(), 0U);
}

TEST(Simulation, TenNodesWithRealSignatures) {
  live_and_lose_one({.seed = seed_of_run(), .nodes = 10});
}

TEST(Simulation, AHundredNodesKnowEachOtherWithinASecond) {
  std::uint64_t seed = seed_of_run();
  for (int i = 0; i < 3; ++i) {
    live_and_lose_one(
        {.seed = seed + static_cast<std::uint64_t>(i), .nodes = 100, .verify = trusted});
  }
}

// Over IPv4 alone, so that a lost datagram is a lost beacon: queries find who was only unlucky.
TEST(Simulation, LossOfFivePercentLosesNobody) {
  SimulatedNetwork network(
      {.seed = seed_of_run(), .nodes = 50, .v6 = false, .loss = 0.05, .verify = trusted});
  network.run_until(30s);
  fmt::print("{} nodes lost wrongly of {} in 30 s, {} queries\n", network.lost_wrongly(), 50 * 49,
             network.queries());
  // Two beacons in a row, and then three times a query or its answer, are lost: 2.5e-6 of each of
  // 73,500 beacons. Without the queries they would be some 180.
  EXPECT_LE(network.lost_wrongly(), 3U);
}

TEST(Simulation, OneThatLeavesIsGoneAtOnce) {
  SimulatedNetwork network({.seed = seed_of_run(), .nodes = 50, .verify = trusted});
  network.run_until(3s);
  network.leave(7);
  network.run_until(3s + 50ms);
  EXPECT_EQ(network.knowing(7), 0U);
  EXPECT_EQ(network.known(), 49U * 49U);  // It itself still knows all.
}

TEST(Simulation, TwoHalvesLoseEachOtherAndFindEachOtherAgain) {
  SimulatedNetwork network({.seed = seed_of_run(), .nodes = 60, .verify = trusted});
  network.run_until(3s);
  ASSERT_EQ(network.known(), 60U * 59U);
  network.part(20);
  network.run_until(6s);
  EXPECT_EQ(network.known(), 20U * 19U + 40U * 39U);
  network.run_until(20s);
  EXPECT_EQ(network.known(), 20U * 19U + 40U * 39U);
  network.part(0);
  // Two beacons: of one, one pair in ten thousand loses both families' datagrams.
  network.run_until(20s + 2500ms);
  EXPECT_EQ(network.known(), 60U * 59U);
}

// The signature is taken as good, and one of four listens, unless WEFT_SIMULATION_FULL is set: then
// a million beacons a second are heard here.
TEST(Simulation, AThousandNodes) {
  std::size_t listen_every = std::getenv("WEFT_SIMULATION_FULL") ? 1 : 4;
  live_and_lose_one(
      {.seed = seed_of_run(), .nodes = 1'000, .listen_every = listen_every, .verify = trusted});
}

}  // namespace
}  // namespace weft::node::discovery
