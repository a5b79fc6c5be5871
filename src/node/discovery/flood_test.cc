// Shows that datagrams of strangers cost bounded memory and no neighbour its place: 100,000 random
// and mutated ones, and as many that are well signed by keys and from addresses without end.

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <random>
#include <vector>

#include "node/discovery/neighbours.h"
#include "node/discovery/testing/test_beacons.h"

namespace weft::node::discovery {
namespace {

using namespace std::chrono_literals;
using testing::at;
using testing::moment;
using testing::test_beacon;
using testing::test_key;

constexpr int kDatagrams = 100'000;
// Much less than what they would take if anything were kept of each.
constexpr std::size_t kGrowthMax = 1 << 20;

std::size_t memory_in_use() {
  return mallinfo2().uordblks;
}

UdpEndpoint random_source(std::mt19937_64& random) {
  std::array<std::uint8_t, 16> bytes{0xfe, 0x80};
  for (std::size_t i = 8; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(random());
  return {IpAddress::v6(bytes), static_cast<std::uint16_t>(random() | 1), 2};
}

// A few bytes changed, cut off, put in or said twice.
Bytes mutated(Bytes bytes, std::mt19937_64& random) {
  for (auto changes = 1 + random() % 4; changes > 0 && !bytes.empty(); --changes) {
    std::size_t place = random() % bytes.size();
    switch (random() % 4) {
      case 0: bytes[place] ^= static_cast<std::uint8_t>(1 + random() % 255); break;
      case 1: bytes.resize(place); break;
      case 2: bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(place), 7); break;
      default:
        bytes.insert(bytes.end(), bytes.begin(),
                     bytes.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(place, 8)));
    }
  }
  return bytes;
}

class FloodTest : public ::testing::Test {
 protected:
  // Some real neighbours, each at its address.
  void SetUp() override {
    for (std::uint32_t i = 0; i < 20; ++i) keys_.push_back(test_key(i + 1));
    beat(moment(0s));
  }
  void beat(const Moment& now) {
    ++sequence_;
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      Bytes bytes = sign(test_beacon("real", 1, sequence_, now), keys_[i]);
      Heard heard = table_.take(bytes, at("192.0.2." + std::to_string(i + 1)), now);
      ASSERT_EQ(heard, sequence_ == 1 ? Heard::kNew : Heard::kAlive) << to_string(heard);
      good_.push_back(std::move(bytes));
    }
    table_.expire(now.steady);
  }
  void expect_all_there() {
    for (const SigningKey& key : keys_) {
      const Neighbour* found = table_.find(key.public_key());
      ASSERT_NE(found, nullptr);
      EXPECT_EQ(found->beacon.name, "real");
      EXPECT_LE(found->addresses.size(), 2 * kAddressesPerFamilyMax);
    }
  }

  std::vector<SigningKey> keys_;
  std::vector<Bytes> good_;
  std::uint64_t sequence_ = 0;
  Neighbours table_{Neighbours::Options{}, moment(0s)};
};

TEST_F(FloodTest, RandomAndMutatedDatagramsChangeNothing) {
  std::mt19937_64 random(1);
  std::size_t before = 0;
  for (int i = 0; i < kDatagrams; ++i) {
    // Once all tables of sources are full, nothing grows any more.
    if (i == kDatagrams / 5) before = memory_in_use();
    Moment now = moment(i * 50us);
    if (i > 0 && i % 20'000 == 0) {
      good_.clear();
      beat(now);
    }
    Bytes bytes;
    if (random() % 2 == 0) {
      bytes.resize(random() % 1'400);
      for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    } else {
      bytes = mutated(good_[random() % good_.size()], random);
      if (std::ranges::count(good_, bytes) > 0) continue;
    }
    // From the neighbours' own addresses now and then, but not more than their rate.
    Heard heard =
        table_.take(bytes, random() % 100 == 0 ? at("192.0.2.5") : random_source(random), now);
    // The last beacon with its signature: whatever else it says, that is not looked at.
    ASSERT_TRUE(heard >= Heard::kTooLong || heard == Heard::kAgain) << to_string(heard);
  }
  EXPECT_LE(memory_in_use(), before + kGrowthMax);
  EXPECT_EQ(table_.size(), keys_.size());
  expect_all_there();
  EXPECT_GT(table_.count(Heard::kForged), 100U);
  EXPECT_GT(table_.count(Heard::kMalformed), 1'000U);
}

// Every one a key of its own from an address of its own, and the signature is taken as good: the
// worst that somebody with all addresses of a link can do.
TEST_F(FloodTest, KeysAndAddressesWithoutEndPushNobodyOut) {
  Neighbours::Options options;
  options.verify = [](const SignedView&) { return true; };
  Neighbours table(std::move(options), moment(0s));
  std::mt19937_64 random(2);
  Beacon real = test_beacon("real", 1, 1, moment(0s));
  ASSERT_EQ(table.take(sign(real, keys_[0]), at("192.0.2.1"), moment(0s)), Heard::kNew);
  Bytes made_up = good_[1];
  constexpr std::size_t kKeyAt = 4 + 1 + 1 + 4 + 6;
  std::size_t before = 0;
  for (int i = 0; i < kDatagrams; ++i) {
    Moment now = moment(i * 100us);
    if (i == kDatagrams / 2) before = memory_in_use();
    if (i % 10'000 == 9'999) {
      real.sequence += 1;
      real.sent = now.unix_ms;
      ASSERT_EQ(table.take(sign(real, keys_[0]), at("192.0.2.1"), now), Heard::kAlive);
      table.expire(now.steady);
    }
    for (std::size_t byte = 0; byte < PublicKey::kBytes; ++byte) {
      made_up[kKeyAt + byte] = static_cast<std::uint8_t>(random());
    }
    table.take(made_up, random_source(random), now);
    ASSERT_LE(table.size(), kNeighboursMax);
  }
  EXPECT_NE(table.find(keys_[0].public_key()), nullptr);
  EXPECT_LE(memory_in_use(), before + kGrowthMax);
  EXPECT_GT(table.count(Heard::kNew), 1'000U);
  EXPECT_GT(table.count(Heard::kTooMany), 10'000U);
}

}  // namespace
}  // namespace weft::node::discovery
