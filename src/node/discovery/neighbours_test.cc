// Shows what Neighbours makes of each datagram: who comes, changes, is asked for and goes; that old
// beacons bring nobody back, that two nodes of one key are found, and that a flood costs others
// nothing. Time is made up.

#include "node/discovery/neighbours.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <set>

#include "node/discovery/testing/test_beacons.h"

namespace weft::node::discovery {
namespace {

using namespace std::chrono_literals;
using testing::at;
using testing::moment;
using testing::test_beacon;
using testing::test_key;

class NeighboursTest : public ::testing::Test {
 protected:
  Neighbours& table() {
    if (!neighbours_) {
      options_.self = test_key(0).public_key();
      options_.boot = 5;
      options_.changed = [this](NeighbourChange change, const Neighbour& neighbour) {
        told_.emplace_back(change, neighbour.beacon.name);
      };
      neighbours_.emplace(options_, moment(0ms));
    }
    return *neighbours_;
  }
  Heard take(const Beacon& beacon, const SigningKey& key, const Moment& now,
             const UdpEndpoint& from = at("192.0.2.1")) {
    return table().take(sign(beacon, key), from, now);
  }

  Neighbours::Options options_;
  std::vector<std::pair<NeighbourChange, std::string>> told_;
  std::optional<Neighbours> neighbours_;
  SigningKey a_ = test_key(1);
};

TEST_F(NeighboursTest, OneComesChangesAndIsGoneAfterItsSilence) {
  Beacon beacon = test_beacon("a", 1, 1, moment(0ms));
  EXPECT_EQ(table().next_expiry(), Neighbours::Time::max());
  EXPECT_EQ(take(beacon, a_, moment(3ms)), Heard::kNew);
  beacon.sequence = 2;
  EXPECT_EQ(take(beacon, a_, moment(1s)), Heard::kAlive);
  beacon.sequence = 3;
  beacon.offers = "demo:text@2.0.0";
  EXPECT_EQ(take(beacon, a_, moment(2s)), Heard::kChanged);
  const Neighbour* found = table().find(a_.public_key());
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->beacon, beacon);
  EXPECT_EQ(found->since, moment(3ms).steady);
  table().expire(moment(2s + kSilence - 1ms).steady);
  EXPECT_EQ(table().size(), 1U);
  table().expire(moment(2s + kSilence).steady);
  EXPECT_EQ(table().size(), 0U);
  EXPECT_THAT(told_, ::testing::ElementsAre(std::pair(NeighbourChange::kCame, "a"),
                                            std::pair(NeighbourChange::kChanged, "a"),
                                            std::pair(NeighbourChange::kGone, "a")));
  // Its old beacons are none any more; it itself comes back with the next.
  EXPECT_EQ(take(beacon, a_, moment(5s)), Heard::kOld);
  beacon.sequence = 4;
  EXPECT_EQ(take(beacon, a_, moment(5s)), Heard::kNew);
}

TEST_F(NeighboursTest, WhoLeavesIsGoneAtOnceAndStaysAway) {
  Beacon beacon = test_beacon("a", 1, 1, moment(0ms));
  Bytes first = sign(beacon, a_);
  EXPECT_EQ(table().take(first, at("192.0.2.1"), moment(0ms)), Heard::kNew);
  beacon.sequence = 2;
  beacon.leaving = true;
  Bytes last = sign(beacon, a_);
  EXPECT_EQ(table().take(last, at("192.0.2.1"), moment(1s)), Heard::kLeft);
  EXPECT_EQ(table().size(), 0U);
  EXPECT_EQ(table().take(last, at("192.0.2.1"), moment(1s)), Heard::kOld);
  EXPECT_EQ(table().take(first, at("192.0.2.9"), moment(1s)), Heard::kOld);
  // Restarted: another boot, later.
  EXPECT_EQ(take(test_beacon("a", 2, 1, moment(2s)), a_, moment(2s)), Heard::kNew);
}

TEST_F(NeighboursTest, TheSameBeaconFromElsewhereAddsAnAddressAndProvesNothing) {
  int verified = 0;
  options_.verify = [&](const SignedView& view) { return ++verified, view.verify(); };
  Beacon beacon = test_beacon("a", 1, 1, moment(0ms));
  EXPECT_EQ(take(beacon, a_, moment(0ms), at("192.0.2.1")), Heard::kNew);
  EXPECT_EQ(take(beacon, a_, moment(1ms), at("fe80::1", 40'001, 3)), Heard::kAgain);
  for (int i = 10; i < 20; ++i) {
    EXPECT_EQ(take(beacon, a_, moment(2ms), at("192.0.2." + std::to_string(i))), Heard::kAgain);
  }
  EXPECT_EQ(verified, 1);
  const Neighbour& found = *table().find(a_.public_key());
  EXPECT_EQ(found.addresses.size(), kAddressesPerFamilyMax + 1);
  EXPECT_EQ(found.addresses[0].udp, at("192.0.2.1"));
  EXPECT_EQ(found.addresses[1].udp, at("fe80::1", 40'001, 3));
  // It keeps nobody alive.
  for (int ms = 100; ms <= 3000; ms += 100) {
    table().expire(moment(std::chrono::milliseconds(ms)).steady);
    take(beacon, a_, moment(std::chrono::milliseconds(ms)));
  }
  EXPECT_EQ(table().size(), 0U);
}

TEST_F(NeighboursTest, AnOlderSequenceAndAnotherBootsBeaconsAreRefusedBeforeTheSignature) {
  int verified = 0;
  options_.verify = [&](const SignedView& view) { return ++verified, view.verify(); };
  Bytes old_boot = sign(test_beacon("a", 1, 9, moment(0ms)), a_);
  Bytes sequence_4 = sign(test_beacon("a", 2, 4, moment(1s)), a_);
  EXPECT_EQ(table().take(old_boot, at("192.0.2.1"), moment(0ms)), Heard::kNew);
  EXPECT_EQ(table().take(sequence_4, at("192.0.2.1"), moment(1s)), Heard::kChanged);
  EXPECT_EQ(take(test_beacon("a", 2, 5, moment(2s)), a_, moment(2s)), Heard::kAlive);
  EXPECT_EQ(verified, 3);
  EXPECT_EQ(table().take(old_boot, at("192.0.2.1"), moment(2s)), Heard::kOld);
  EXPECT_EQ(table().take(sequence_4, at("192.0.2.1"), moment(2s)), Heard::kOld);
  EXPECT_EQ(verified, 3);
  EXPECT_FALSE(table().find(a_.public_key())->twin);
}

TEST_F(NeighboursTest, TwoNodesOfOneKeyAreFoundAndTheOneThatIsThereStays) {
  EXPECT_EQ(take(test_beacon("one", 1, 1, moment(0ms)), a_, moment(0ms)), Heard::kNew);
  EXPECT_EQ(take(test_beacon("two", 2, 1, moment(500ms)), a_, moment(500ms)), Heard::kChanged);
  EXPECT_EQ(take(test_beacon("one", 1, 2, moment(1s)), a_, moment(1s)), Heard::kTwin);
  EXPECT_EQ(take(test_beacon("two", 2, 2, moment(1500ms)), a_, moment(1500ms)), Heard::kAlive);
  EXPECT_EQ(take(test_beacon("one", 1, 3, moment(2s)), a_, moment(2s)), Heard::kTwin);
  EXPECT_TRUE(table().find(a_.public_key())->twin);
  EXPECT_EQ(table().find(a_.public_key())->beacon.name, "two");
  // When that one is silent the other has its place.
  table().expire(moment(1500ms + kSilence).steady);
  EXPECT_EQ(take(test_beacon("one", 1, 5, moment(4s)), a_, moment(4s)), Heard::kNew);
}

TEST_F(NeighboursTest, OursIsNoneAndOurKeyElsewhereIsATwin) {
  SigningKey self = test_key(0);
  EXPECT_EQ(take(test_beacon("self", 5, 1, moment(0ms)), self, moment(0ms)), Heard::kOwn);
  EXPECT_EQ(take(test_beacon("self", 6, 1, moment(0ms)), self, moment(0ms)), Heard::kTwin);
  EXPECT_EQ(table().size(), 0U);
}

TEST_F(NeighboursTest, ABeaconOfAnotherTimeIsRefused) {
  for (auto apart : {kClockSkewMax + 1ms, -kClockSkewMax - 1ms, std::chrono::milliseconds(1h)}) {
    Moment sent = moment(0ms);
    sent.unix_ms += static_cast<UnixMs>(apart.count());
    EXPECT_EQ(take(test_beacon("a", 1, 1, sent), a_, moment(0ms)), Heard::kClock);
  }
  Beacon never = test_beacon("a", 1, 1, moment(0ms));
  never.sent = UINT64_MAX;
  EXPECT_EQ(take(never, a_, moment(0ms)), Heard::kClock);
  EXPECT_EQ(take(test_beacon("a", 1, 1, moment(0ms)), a_, moment(kClockSkewMax)), Heard::kNew);
}

TEST_F(NeighboursTest, WhatIsNoBeaconIsRefused) {
  Bytes good = sign(test_beacon("a", 1, 1, moment(0ms)), a_);
  Bytes forged = good;
  forged.back() ^= 1;
  EXPECT_EQ(table().take(forged, at("192.0.2.1"), moment(0ms)), Heard::kForged);
  EXPECT_EQ(table().take({}, at("192.0.2.1"), moment(0ms)), Heard::kMalformed);
  EXPECT_EQ(table().take(query_datagram(), at("192.0.2.1"), moment(0ms)), Heard::kMalformed);
  EXPECT_EQ(table().take(BytesView(good).first(100), at("192.0.2.1"), moment(0ms)),
            Heard::kMalformed);
  good.resize(kDatagramBytesMax + 1);
  EXPECT_EQ(table().take(good, at("192.0.2.1"), moment(0ms)), Heard::kTooLong);
  EXPECT_EQ(table().size(), 0U);
}

TEST_F(NeighboursTest, WhoIsSilentIsAskedAtEachOfItsAddressesBeforeItIsLost) {
  Beacon beacon = test_beacon("a", 1, 1, moment(0ms));
  take(beacon, a_, moment(0ms), at("192.0.2.1"));
  take(beacon, a_, moment(0ms), at("fe80::1", 40'001, 3));
  EXPECT_EQ(table().next_expiry(), moment(kSuspectAfter).steady);
  EXPECT_THAT(table().suspects(moment(kSuspectAfter - 1ms).steady, 8), ::testing::IsEmpty());
  EXPECT_THAT(table().suspects(moment(kSuspectAfter).steady, 8),
              ::testing::ElementsAre(at("192.0.2.1")));
  EXPECT_THAT(table().suspects(moment(kSuspectAfter + 1ms).steady, 8), ::testing::IsEmpty());
  EXPECT_THAT(table().suspects(moment(kSuspectAfter + kAskAgainAfter).steady, 8),
              ::testing::ElementsAre(at("fe80::1", 40'001, 3)));
}

// One source with as many keys as it likes: it gets the keys of an address, and nobody goes.
TEST_F(NeighboursTest, OneAddressHasItsShareAndNoMore) {
  options_.verify = [](const SignedView&) { return true; };
  EXPECT_EQ(take(test_beacon("a", 1, 1, moment(0ms)), a_, moment(0ms)), Heard::kNew);
  std::size_t taken = 0;
  for (std::uint32_t i = 100; i < 1'000; ++i) {
    Heard heard =
        take(test_beacon("x", 1, 1, moment(0ms)), test_key(i), moment(0ms), at("192.0.2.66"));
    if (heard == Heard::kNew) ++taken;
  }
  EXPECT_EQ(taken, kKeysPerAddressMax);
  EXPECT_GT(table().count(Heard::kNoRoom), 0U);
  EXPECT_GT(table().count(Heard::kTooMany), 0U);
  EXPECT_NE(table().find(a_.public_key()), nullptr);
}

// A full table: strangers of many addresses push out neither who is the only one of its address nor
// who is established; a key that our files name finds a place all the same.
TEST_F(NeighboursTest, AFullTableKeepsWhoIsThereAndTakesWhoIsNamed) {
  SigningKey friend_key = test_key(7);
  options_.neighbours_max = 64;
  options_.known = [&](const PublicKey& key) { return key == friend_key.public_key(); };
  EXPECT_EQ(take(test_beacon("a", 1, 1, moment(0ms)), a_, moment(0ms)), Heard::kNew);
  auto flood = [&](std::uint32_t keys_each, std::uint32_t from, std::string_view prefix) {
    for (std::uint32_t i = 0; i < 100; ++i) {
      std::string address = std::string(prefix) + std::to_string(1 + i / keys_each);
      take(test_beacon("x", 1, 1, moment(0ms)), test_key(from + i), moment(0ms), at(address));
    }
  };
  flood(50, 1'000, "10.0.0.");
  EXPECT_EQ(table().size(), 64U);
  EXPECT_NE(table().find(a_.public_key()), nullptr);
  // A real newcomer of an address of its own takes the place of one of an address with many.
  SigningKey b = test_key(2);
  EXPECT_EQ(take(test_beacon("b", 1, 1, moment(0ms)), b, moment(0ms), at("192.0.2.2")),
            Heard::kNew);
  flood(1, 2'000, "10.1.0.");
  EXPECT_EQ(table().size(), 64U);
  EXPECT_NE(table().find(a_.public_key()), nullptr);
  EXPECT_NE(table().find(b.public_key()), nullptr);
  EXPECT_EQ(take(test_beacon("c", 1, 1, moment(0ms)), test_key(3), moment(0ms), at("192.0.2.3")),
            Heard::kNoRoom);
  EXPECT_EQ(take(test_beacon("f", 1, 1, moment(0ms)), friend_key, moment(1ms), at("192.0.2.4")),
            Heard::kNew);
  EXPECT_NE(table().find(a_.public_key()), nullptr);
  EXPECT_EQ(table().size(), 64U);
}

TEST(SourceLimits, HoldARateForEachAddressInBoundedMemory) {
  SourceLimits limits({.per_second = 2, .burst = 3}, 10);
  auto now = moment(0ms).steady;
  IpAddress one = *IpAddress::parse("192.0.2.1");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limits.take(one, now));
  EXPECT_FALSE(limits.take(one, now));
  EXPECT_FALSE(limits.take(one, now + 499ms));
  EXPECT_TRUE(limits.take(one, now + 500ms));
  EXPECT_FALSE(limits.take(one, now + 500ms));
  for (int i = 2; i < 200; ++i) {
    EXPECT_TRUE(limits.take(*IpAddress::parse("192.0.2." + std::to_string(i)), now));
  }
  EXPECT_EQ(limits.size(), 10U);
}

}  // namespace
}  // namespace weft::node::discovery
