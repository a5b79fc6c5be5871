// Shows that a request is admitted once, by whom and for whom it was signed, and that each attack
// on that is refused, with the cheapest look that can tell, before anything is kept or written.
#include "node/admission/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "node/admission/testing.h"

namespace weft::node {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::string_view kOpen = R"(
[rates]
address = { rate = 1000000, burst = 1000000 }
key = { rate = 1000000, burst = 1000000 }
[quota]
rate = 1000000
[group.friends]
may = ["describe", "fetch", "run", "call"]
[group.lab]
may = ["store"]
[strangers]
may = []
rate = 1000000
)";

class AdmissionTest : public ::testing::Test {
 protected:
  int status(const Request& request, char key = 'k') {
    return node_.status(sign(request, test_key(key)));
  }
  TestNode node_{kOpen};
};

TEST_F(AdmissionTest, SaysWhoAsksWhat) {
  Request request = test_request(Action::kCall);
  Bytes bytes = sign(request, test_key('k'));
  auto admitted = node_.admit(bytes);
  ASSERT_TRUE(admitted) << admitted.error().message;
  EXPECT_EQ(admitted->request, request);
  EXPECT_EQ(admitted->hash, Hash::of(bytes));
  EXPECT_EQ(admitted->signer, test_key('k').public_key());
  EXPECT_EQ(admitted->group, "friends");
}

TEST_F(AdmissionTest, EachActionNeedsItsRight) {
  for (auto [action, expected] :
       {std::pair(Action::kDescribe, 200), std::pair(Action::kFetch, 200),
        std::pair(Action::kRun, 200), std::pair(Action::kCall, 200), std::pair(Action::kStore, 403),
        std::pair(Action::kResume, 200), std::pair(Action::kCancel, 200)}) {
    EXPECT_EQ(status(test_request(action)), expected) << to_string(action);
    // A stranger is told the name, and no more.
    EXPECT_EQ(status(test_request(action), 'x'), action == Action::kDescribe ? 200 : 403);
  }
  auto stranger = node_.admit(sign(test_request(Action::kDescribe), test_key('x')));
  ASSERT_TRUE(stranger);
  EXPECT_EQ(stranger->group, kStrangers);
}

TEST_F(AdmissionTest, TheAudienceSaysWhichGroupPays) {
  Request request = test_request(Action::kStore);
  EXPECT_EQ(status(request, 'm'), 403);  // As one of friends, the first by name.
  request.audience = Audience::of_group("lab");
  auto admitted = node_.admit(sign(request, test_key('m')));
  ASSERT_TRUE(admitted) << admitted.error().message;
  EXPECT_EQ(admitted->group, "lab");
}

TEST_F(AdmissionTest, WhoHoldsTheReplyKeyMayResume) {
  node_.options.group_of_run = [](const Hash& run,
                                  const PublicKey& signer) -> std::optional<std::string> {
    if (run != Hash::of(as_bytes("run")) || signer != test_key('r').public_key())
      return std::nullopt;
    return "friends";
  };
  node_.start();
  auto admitted = node_.admit(sign(test_request(Action::kResume), test_key('r')));
  ASSERT_TRUE(admitted) << admitted.error().message;
  EXPECT_EQ(admitted->group, "friends");
  EXPECT_EQ(status(test_request(Action::kCancel), 'k'), 404);
  EXPECT_EQ(status(test_request(Action::kRun), 'r'), 403);
}

TEST_F(AdmissionTest, AStolenRequestIsNotTakenWithAnotherProgram) {
  Request request = test_request();
  Bytes captured = sign(request, test_key('k'));
  Request swapped = request;
  swapped.module = Hash::of(as_bytes("evil"));
  Bytes evil = sign(swapped, test_key('x'));
  // The module of one in the other, with the captured signature; and the captured key in it.
  for (std::size_t at = 0; at + 64 < captured.size(); ++at) {
    if (captured[at] != evil[at]) {
      Bytes mixed = captured;
      mixed[at] = evil[at];
      EXPECT_NE(node_.status(mixed), 200) << at;
    }
  }
  Bytes mixed = evil;
  std::copy(captured.end() - 64, captured.end(), mixed.end() - 64);
  EXPECT_NE(node_.status(mixed), 200);
  std::copy_n(captured.begin() + 16, 32, mixed.begin() + 16);
  EXPECT_EQ(node_.status(mixed), 401);
  EXPECT_EQ(node_.status(captured), 200);
}

TEST_F(AdmissionTest, NoByteMovesFromOneFieldToTheNext) {
  Request request = test_request(Action::kCall);
  request.audience = Audience::of_group("friends");
  Bytes whole = sign(request, test_key('k'));
  std::mt19937 random(1);
  for (int round = 0; round < 5'000; ++round) {
    Bytes moved = whole;
    std::size_t from = 10 + random() % (moved.size() - 74);
    std::size_t to = 10 + random() % (moved.size() - 74);
    std::uint8_t byte = moved[from];
    moved.erase(moved.begin() + static_cast<std::ptrdiff_t>(from));
    moved.insert(moved.begin() + static_cast<std::ptrdiff_t>(to), byte);
    if (moved != whole) ASSERT_NE(node_.status(moved), 200) << from << " to " << to;
  }
  EXPECT_EQ(node_.status(whole), 200);
}

TEST_F(AdmissionTest, ARequestForOneNodeIsNoneForAnother) {
  TestNode other(kOpen, 'o');
  Bytes bytes = sign(test_request(), test_key('k'));
  EXPECT_EQ(other.status(bytes), 421);
  EXPECT_EQ(node_.status(bytes), 200);

  // For a group: of nodes that have the signer in it.
  Request request = test_request();
  request.audience = Audience::of_group("lab");
  EXPECT_EQ(status(request, 'k'), 421);
  request.audience = Audience::of_group("friends");
  EXPECT_EQ(status(request, 'x'), 421);
  EXPECT_EQ(status(request, 'k'), 200);
  EXPECT_EQ(other.status(sign(request, test_key('k'))), 200);
  request.nonce = random_nonce();
  request.audience = Audience::anyone();
  EXPECT_EQ(status(request, 'k'), 200);
}

TEST_F(AdmissionTest, AReplayIsRefusedAlsoAfterARestart) {
  Bytes bytes = sign(test_request(), test_key('k'));
  EXPECT_EQ(node_.status(bytes), 200);
  EXPECT_EQ(node_.status(bytes), 409);
  node_.start();
  EXPECT_EQ(node_.status(bytes), 409);
  EXPECT_EQ(status(test_request()), 200);
}

TEST_F(AdmissionTest, OfManyAtOnceOneIsTaken) {
  constexpr int kRounds = 200;
  std::vector<Bytes> all;
  for (int i = 0; i < kRounds; ++i) all.push_back(sign(test_request(), test_key('k')));
  std::array<std::atomic<int>, kRounds> taken{};
  std::atomic<int> others{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        int status = node_.status(all[round]);
        (status == 200 ? taken[round] : others) += 1;
        if (round % 50 == 0) EXPECT_TRUE(node_.seen->tidy(kTestNow));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::atomic<int>& each : taken) EXPECT_EQ(each, 1);
  EXPECT_EQ(others, 3 * kRounds);
}

TEST_F(AdmissionTest, AReplayIsRefusedWithAClockFiveMinutesOff) {
  constexpr UnixMs kOff = 5 * 60'000;
  Request request = test_request();
  request.expires = request.made + 10 * 60'000;
  Bytes bytes = sign(request, test_key('k'));
  Bytes short_lived = sign(test_request(), test_key('k'));
  EXPECT_EQ(node_.status(bytes), 200);
  EXPECT_EQ(node_.status(short_lived), 200);
  for (bool restart : {false, true}) {
    node_.now = kTestNow + kOff;
    if (restart) node_.start();
    EXPECT_EQ(node_.status(bytes), 409);
    EXPECT_EQ(node_.status(short_lived), 410);
    ASSERT_TRUE(node_.seen->tidy(node_.now));
    node_.now = kTestNow - kOff;
    if (restart) node_.start();
    EXPECT_NE(node_.status(bytes), 200);
    EXPECT_NE(node_.status(short_lived), 200);
    node_.now = kTestNow + 1'000;
    if (restart) node_.start();
    EXPECT_EQ(node_.status(bytes), 409);
    EXPECT_NE(node_.status(short_lived), 200);
  }
  // With the right time again it is as before.
  EXPECT_EQ(status(test_request(Action::kRun, kTestNow + 62'000)), 410);
  node_.now = kTestNow + 62'000;
  EXPECT_EQ(status(test_request(Action::kRun, node_.now)), 200);
}

TEST_F(AdmissionTest, TimesAreWithinTheirWindows) {
  auto with = [&](std::int64_t made, std::int64_t life) {
    Request request = test_request();
    request.made = kTestNow + static_cast<UnixMs>(made);
    request.expires = request.made + static_cast<UnixMs>(life);
    return status(request);
  };
  EXPECT_EQ(with(30'000, 1'000), 200);
  EXPECT_EQ(with(30'001, 1'000), 410);
  EXPECT_EQ(with(-60'000, 60'001), 200);
  EXPECT_EQ(with(-60'000, 60'000), 410);
  EXPECT_EQ(with(0, 600'000), 200);
  EXPECT_EQ(with(0, 600'001), 400);
  EXPECT_EQ(with(0, 0), 400);
  EXPECT_EQ(with(0, -1), 400);
  Request request = test_request();
  request.made = 0;
  request.expires = UINT64_MAX;
  EXPECT_EQ(status(request), 400);
  std::swap(request.made, request.expires);
  EXPECT_EQ(status(request), 400);
}

TEST_F(AdmissionTest, WhatWasAdmittedStandsWhileItsLifeAndItsRightsDo) {
  Request request = test_request(Action::kCall);
  PublicKey signer = test_key('k').public_key();
  auto status = [&](std::string_view group = "friends") {
    auto stands = node_.admission->stands(request, signer, group, node_.now);
    return stands ? 200 : http_status(stands.error().code);
  };
  EXPECT_EQ(status(), 200);
  EXPECT_EQ(status("others"), 403);
  UnixMs now = std::exchange(node_.now, request.expires);
  EXPECT_EQ(status(), 410);
  node_.now = now;
  node_.apply("[group.friends]\nmay = [\"run\"]\n");
  EXPECT_EQ(status(), 403);
}

TEST_F(AdmissionTest, CountsWhatItRefuses) {
  auto counted = [&](RefusalCode code) {
    return node_.admission->refused()[static_cast<std::size_t>(code)];
  };
  Bytes bytes = sign(test_request(), test_key('k'));
  EXPECT_EQ(node_.status(bytes), 200);
  EXPECT_EQ(node_.status(bytes), 409);
  EXPECT_EQ(node_.status(bytes), 409);
  bytes.back() ^= 1;
  EXPECT_EQ(node_.status(Bytes(kRequestBytesMax + 1)), 413);
  EXPECT_EQ(counted(RefusalCode::kSeen), 2U);
  EXPECT_EQ(counted(RefusalCode::kTooLong), 1U);
  EXPECT_EQ(counted(RefusalCode::kNotSigned), 0U);
}

TEST_F(AdmissionTest, WhatIsNoRequestIsRefused) {
  EXPECT_EQ(node_.status({}), 400);
  EXPECT_EQ(node_.status(as_bytes("GET / HTTP/1.1\r\n\r\n")), 400);
  EXPECT_EQ(node_.status(Bytes(kRequestBytesMax + 1)), 413);
  EXPECT_EQ(node_.status(Bytes(kRequestBytesMax)), 400);
}

TEST_F(AdmissionTest, ADrainingNodeBeginsNothing) {
  node_.admission->drain();
  EXPECT_EQ(status(test_request(Action::kRun)), 503);
  EXPECT_EQ(status(test_request(Action::kFetch)), 503);
  EXPECT_EQ(status(test_request(Action::kResume)), 200);
  EXPECT_EQ(status(test_request(Action::kDescribe)), 200);
  node_.admission->resume();
  EXPECT_EQ(status(test_request(Action::kRun)), 200);
}

TEST_F(AdmissionTest, AnotherPolicyHoldsAtOnce) {
  EXPECT_EQ(status(test_request(Action::kRun), 'z'), 403);
  node_.trust("friends", "zed", 'z');
  node_.apply(kOpen);
  EXPECT_EQ(status(test_request(Action::kRun), 'z'), 200);
  node_.apply("[group.friends]\nmay = []\n");
  EXPECT_EQ(status(test_request(Action::kRun), 'z'), 403);
}

// Whoever writes somebody else's key takes nothing from its rate, nor from its group's.
TEST_F(AdmissionTest, WhoIsNotWhoItSaysTakesNothingFromAnybody) {
  node_.apply(R"(
[rates]
address = { rate = 1000000, burst = 1000000 }
key = { rate = 1, burst = 3 }
[group.friends]
may = ["run"]
rate = 1
burst = 4
)");
  for (int i = 0; i < 1'000; ++i) {
    Bytes forged = sign(test_request(), test_key('k'));
    forged.back() ^= 1;
    ASSERT_EQ(node_.status(forged), 401);
  }
  EXPECT_EQ(node_.seen->size(), 0u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(status(test_request()), 200);
  auto more = node_.admit(sign(test_request(), test_key('k')));
  ASSERT_FALSE(more);
  EXPECT_THAT(more.error().message, HasSubstr("this key asks too often"));
  EXPECT_EQ(more.error().again, 1s);
  EXPECT_EQ(status(test_request(), 'm'), 200);
  auto group = node_.admit(sign(test_request(), test_key('m')));
  ASSERT_FALSE(group);
  EXPECT_THAT(group.error().message, HasSubstr("of group friends is spent"));
  EXPECT_EQ(node_.seen->size(), 4u);
}

TEST_F(AdmissionTest, AnAddressThatAsksTooOftenIsRefusedAndNoOther) {
  node_.apply("[rates]\naddress = { rate = 10, burst = 5 }\n[group.friends]\nmay = [\"run\"]\n");
  auto from = [&](std::string_view address) {
    Bytes forged = sign(test_request(), test_key('k'));
    forged.back() ^= 1;
    auto admitted = node_.admission->admit({.request = forged,
                                            .peer = *IpAddress::parse(address),
                                            .now = node_.now,
                                            .steady = node_.steady});
    return http_status(admitted.error().code);
  };
  for (int i = 0; i < 5; ++i) EXPECT_EQ(from("192.0.2.1"), 401);
  EXPECT_EQ(from("192.0.2.1"), 429);
  EXPECT_EQ(from("192.0.2.2"), 401);
  // All of one network of IPv6 is one.
  for (int i = 0; i < 5; ++i) EXPECT_EQ(from("2001:db8::" + std::to_string(i)), 401);
  EXPECT_EQ(from("2001:db8::77"), 429);
  EXPECT_EQ(from("2001:db8:0:1::1"), 401);
  node_.steady += 100ms;
  EXPECT_EQ(from("192.0.2.1"), 401);
}

TEST(AdmissionPlaces, AFullTableRefusesNewOnesAndNoneIsForgotten) {
  TestNode node(kOpen, 'n', 8);
  std::vector<Bytes> taken;
  for (;;) {
    Bytes bytes = sign(test_request(), test_key('k'));
    int status = node.status(bytes);
    if (status != 200) {
      EXPECT_EQ(status, 429);
      break;
    }
    taken.push_back(std::move(bytes));
  }
  EXPECT_EQ(taken.size(), 4u);
  for (const Bytes& each : taken) EXPECT_EQ(node.status(each), 409);
}

TEST_F(AdmissionTest, WhatCannotBeRememberedIsNotTaken) {
  std::filesystem::remove_all(node_.folder.path() / "seen");
  node_.now += 120'000;
  EXPECT_EQ(status(test_request(Action::kRun, node_.now)), 503);
}

}  // namespace
}  // namespace weft::node
