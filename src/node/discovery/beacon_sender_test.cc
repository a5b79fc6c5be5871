// Shows when a node speaks: at start, each second, on a change and as it leaves; and that answers
// to an address which proved nothing are never longer than three times what came, nor more often.

#include "node/discovery/beacon_sender.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <vector>

#include "node/discovery/testing/test_beacons.h"

namespace weft::node::discovery {
namespace {

using namespace std::chrono_literals;
using testing::at;
using testing::moment;

BeaconSender sender(std::uint64_t seed, std::string offers = "") {
  Beacon beacon{.name = "a", .boot = 1, .port = 7420, .offers = std::move(offers)};
  static const SigningKey key = testing::test_key(1);
  return BeaconSender(
      {.beacon = beacon, .sign = [](const Beacon& each) { return sign(each, key); }, .seed = seed},
      moment(0ms).steady);
}

std::chrono::microseconds since_start(BeaconSender::Time time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time - moment(0ms).steady);
}

// When it speaks until then.
std::vector<std::chrono::microseconds> times(BeaconSender& from, std::chrono::microseconds until) {
  std::vector<std::chrono::microseconds> all;
  for (auto next = since_start(from.next()); next <= until; next = since_start(from.next())) {
    EXPECT_FALSE(from.due(moment(next - 1us)));
    EXPECT_TRUE(from.due(moment(next)));
    all.push_back(next);
  }
  return all;
}

TEST(BeaconSender, SpeaksInABurstAndThenEachSecond) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    BeaconSender from = sender(seed);
    auto all = times(from, 20s);
    ASSERT_GT(all.size(), static_cast<std::size_t>(kBurstBeacons));
    EXPECT_LE(all[0], kBurstJitter);
    EXPECT_LE(all[kBurstBeacons - 1], (kBurstBeacons - 1) * kBurstEvery + kBurstJitter);
    for (std::size_t i = kBurstBeacons; i < all.size(); ++i) {
      EXPECT_GE(all[i] - all[i - 1], kBeaconEvery - kBeaconJitter) << "seed " << seed;
      EXPECT_LE(all[i] - all[i - 1], kBeaconEvery + kBeaconJitter) << "seed " << seed;
    }
    EXPECT_EQ(from.beacon().sequence, all.size());
  }
}

TEST(BeaconSender, TellsOfAChangeSoonAndOfManyAtOnce) {
  BeaconSender from = sender(1);
  times(from, 5s);
  for (int i = 0; i < 100; ++i) {
    from.change(Hash::of(as_bytes(std::to_string(i))), "x:y", moment(5100ms).steady);
  }
  EXPECT_LE(since_start(from.next()), 5200ms);
  auto all = times(from, 6s);
  EXPECT_LE(all.size(), 2U);
  EXPECT_EQ(from.beacon().offers, "x:y");
  // The same again is no change.
  auto next = from.next();
  from.change(from.beacon().catalogue, "x:y", moment(6s).steady);
  EXPECT_EQ(from.next(), next);
}

TEST(BeaconSender, LeavesOnce) {
  BeaconSender from = sender(1);
  times(from, 3s);
  from.asked(kQueryBytes, at("192.0.2.9"), Arrival::kGroup, moment(3s).steady);
  Beacon beacon = *read_beacon(*SignedView::open(from.leave(moment(3s)), ObjectKind::kBeacon));
  EXPECT_TRUE(beacon.leaving);
  EXPECT_EQ(from.next(), BeaconSender::Time::max());
  EXPECT_FALSE(from.due(moment(10s)));
  EXPECT_FALSE(from.answer(moment(10s)));
  from.change({}, "x", moment(10s).steady);
  EXPECT_FALSE(from.due(moment(20s)));
}

// The shortest query and the longest beacon; a shorter datagram is no query.
TEST(BeaconSender, AnAnswerIsAtMostThreeTimesTheQuestion) {
  BeaconSender from = sender(1, std::string(kBeaconOffersMax, 'o'));
  from.due(moment(1s));
  Bytes query = query_datagram();
  EXPECT_TRUE(is_query(query));
  EXPECT_FALSE(is_query(BytesView(query).first(kQueryBytes - 1)));
  from.asked(query.size(), at("192.0.2.9"), Arrival::kDirect, moment(1s).steady);
  auto answer = from.answer(moment(1s));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->to, at("192.0.2.9"));
  EXPECT_LE(answer->beacon.size(), kAnswerFactorMax * query.size());
  EXPECT_GT(answer->beacon.size(), 900U);
  EXPECT_FALSE(from.answer(moment(1s)));
  // What would be longer than that is not sent, whoever calls it a query.
  from.asked(100, at("192.0.2.9"), Arrival::kDirect, moment(1s).steady);
  EXPECT_FALSE(from.answer(moment(2s)));
}

TEST(BeaconSender, ManyQuestionsOfOneAndOfManyAddressesAreBounded) {
  BeaconSender from = sender(1);
  from.due(moment(1s));
  auto answers = [&](const Moment& now) {
    std::size_t count = 0;
    while (from.answer(now)) ++count;
    return count;
  };
  for (int i = 0; i < 100'000; ++i) {
    from.asked(kQueryBytes, at("192.0.2.9"), Arrival::kDirect, moment(1s).steady);
  }
  EXPECT_EQ(answers(moment(1s)), static_cast<std::size_t>(kAnswerRatePerSource.burst));
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    std::uint8_t b[4];
    std::memcpy(b, &i, sizeof i);
    UdpEndpoint each{IpAddress::v4({10, b[2], b[1], b[0]}), 9};
    from.asked(kQueryBytes, each, Arrival::kGroup, moment(1s).steady);
  }
  std::size_t spread = answers(moment(1s));
  EXPECT_LT(spread, 100U);
  EXPECT_LE(spread + answers(moment(1s + kAnswerSpread)),
            static_cast<std::size_t>(kAnswerRate.burst));
}

}  // namespace
}  // namespace weft::node::discovery
