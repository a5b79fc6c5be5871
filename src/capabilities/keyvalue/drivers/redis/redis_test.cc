// Shows what of the Redis driver is its own: settings, the outside of what it stores, and what
// becomes of requests when the server or the way to it fails.
#include "capabilities/keyvalue/drivers/redis/redis.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/keyvalue/drivers/one_bucket.h"
#include "capabilities/keyvalue/drivers/redis/server.h"
#include "capabilities/keyvalue/testing.h"
#include "remote/testing/fault_proxy.h"

namespace weft::keyvalue::redis {
namespace {

using remote::FaultProxy;
using remote::RealServer;
using ::testing::HasSubstr;
using Fault = FaultProxy::Fault;

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"redis"};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  return choice;
}

TEST(RedisSettings, AreReadFromTheUrlAndBesideIt) {
  auto settings = read_settings(choice({{"url", "redis://me:pass@cache/3"}, {"timeout", "2s"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->endpoint.text(), "cache:6379");
  EXPECT_EQ(settings->user, "me");
  EXPECT_EQ(settings->password.reveal(), "pass");
  EXPECT_EQ(settings->database, 3U);
  EXPECT_EQ(settings->silence, std::chrono::seconds(2));
  EXPECT_EQ(settings->endpoint.tls, nullptr);
  EXPECT_NE(read_settings(choice({{"url", "rediss://cache"}}))->endpoint.tls, nullptr);
  auto beside = read_settings(choice({{"url", "redis://cache:1"}, {"password", "other"}}));
  EXPECT_EQ(beside->password.reveal(), "other");
}

TEST(RedisSettings, SayWhatIsWrong) {
  for (auto [settings, what] :
       {std::pair{choice({}), "no url"}, std::pair{choice({{"url", "http://x"}}), "redis://"},
        std::pair{choice({{"url", "redis://x/one"}}), "number of a database"},
        std::pair{choice({{"url", "redis://x"}, {"timeout", "1ms"}}), "at least"},
        std::pair{choice({{"url", "redis://x"}, {"ca-file", "ca.pem"}}), "rediss://"},
        std::pair{choice({{"url", "rediss://x"}, {"ca-file", "/no/ca.pem"}}), "/no/ca.pem"}}) {
    auto read = read_settings(settings);
    ASSERT_FALSE(read.has_value());
    EXPECT_THAT(read.error().message(), HasSubstr(what));
  }
}

// A server of the test's own, a proxy before it, and a bucket.
class RedisFaults : public OneBucket {
 protected:
  RedisFaults() {
    Settings settings;
    settings.endpoint = {"127.0.0.1", proxy_.port()};
    settings.silence = std::chrono::milliseconds(1'500);
    open(redis_backend(std::move(settings)));
  }

  RealServer server_{server_command};
  FaultProxy proxy_{server_.port()};
};

TEST_F(RedisFaults, AreNoneByDefault) {
  ASSERT_TRUE(set("k", "v").has_value());
  EXPECT_EQ(get("k"), "v");
}

TEST_F(RedisFaults, SlicedDelayedAndThrottledBytesAreTheSameBytes) {
  std::string large(30'000, 'x');
  large[15'000] = '\r';
  std::int64_t count = 0;
  for (Fault fault : {Fault::kSlice, Fault::kDelay, Fault::kThrottle}) {
    proxy_.set(fault);
    ASSERT_TRUE(set("k", large).has_value());
    EXPECT_TRUE(get("k") == large);
    auto sum = await(loop_, bucket_->increment(soon(), "n", 1));
    ASSERT_TRUE(sum.has_value());
    EXPECT_EQ(*sum, ++count);
  }
}

TEST_F(RedisFaults, ARefusedConnectionIsToldSoonAndRecoversByItself) {
  ASSERT_TRUE(set("k", "v").has_value());
  proxy_.set(Fault::kRefuse);
  auto start = Deadline::Clock::now();
  EXPECT_THAT(get("k"), HasSubstr("refused"));
  EXPECT_LT(Deadline::Clock::now() - start, std::chrono::seconds(10));
  // The breaker is open: nobody waits any more.
  start = Deadline::Clock::now();
  EXPECT_THAT(get("k"), HasSubstr("refused"));
  EXPECT_LT(Deadline::Clock::now() - start, std::chrono::milliseconds(500));
  proxy_.set(Fault::kNone);
  EXPECT_TRUE(recovers("k", "v"));
}

TEST_F(RedisFaults, AStalledServerIsGivenUpAndItsReadsAreAskedAgain) {
  ASSERT_TRUE(set("k", "v").has_value());
  proxy_.set(Fault::kStall);
  // A deadline before the server is given up.
  EXPECT_THAT(get("k", std::chrono::milliseconds(200)), HasSubstr("no answer before the deadline"));
  auto written = set("k", "w", std::chrono::milliseconds(200));
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code(), Errc::kTimeout);
  EXPECT_THAT(written.error().message(), HasSubstr("whether it was done is not known"));
  // And one after it.
  written = set("k", "x");
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code(), Errc::kUnavailable);
  proxy_.set(Fault::kNone);
  Deadline limit = Deadline::after(std::chrono::seconds(20));
  while (get("k").starts_with("(error)") && !limit.passed()) {
  }
  // What had no answer may be done later or not at all: never twice, and nothing of it is half.
  EXPECT_THAT(get("k"), ::testing::AnyOf("v", "w", "x"));
  ASSERT_TRUE(set("k", "y").has_value());
  EXPECT_EQ(get("k"), "y");
}

TEST_F(RedisFaults, AConnectionCutInAnAnswerIsMadeAgainForReads) {
  ASSERT_TRUE(set("k", "value").has_value());
  for (Fault fault : {Fault::kCut, Fault::kCutAsked}) {
    proxy_.set(fault);
    EXPECT_EQ(get("k"), "value");
  }
}

TEST_F(RedisFaults, AWriteWhoseAnswerIsLostIsNotSentAgain) {
  for (int round = 1; round <= 10; ++round) {
    ASSERT_TRUE(set("n", "0").has_value());
    proxy_.set(round % 2 == 0 ? Fault::kCut : Fault::kCutAsked);
    auto sum = await(loop_, bucket_->increment(soon(), "n", 1));
    ASSERT_FALSE(sum.has_value());
    EXPECT_EQ(sum.error().code(), Errc::kUnavailable);
    EXPECT_THAT(sum.error().message(), HasSubstr("whether it was done is not known"));
    EXPECT_EQ(get("n"), "1");
  }
}

TEST_F(RedisFaults, AServerThatIsKilledLosesNothingItAcknowledged) {
  for (int round = 0; round < 5; ++round) {
    std::string value = std::to_string(round);
    ASSERT_TRUE(set("k", value).has_value());
    server_.kill();
    server_.start();
    EXPECT_TRUE(recovers("k", value));
  }
}

TEST_F(RedisFaults, AFrozenServerHoldsNobodyLongerThanTheTimeOut) {
  ASSERT_TRUE(set("k", "v").has_value());
  server_.freeze();
  auto start = Deadline::Clock::now();
  EXPECT_THAT(get("k"), HasSubstr("(error)"));
  EXPECT_LT(Deadline::Clock::now() - start, std::chrono::seconds(10));
  server_.thaw();
  EXPECT_TRUE(recovers("k", "v"));
}

TEST_F(RedisFaults, AWrongPasswordIsARefusal) {
  Settings settings;
  settings.endpoint = {"127.0.0.1", proxy_.port()};
  settings.user = "nobody";
  settings.password = Secret("s3cret");
  auto backend = redis_backend(std::move(settings));
  auto store = backend->store(loop_);
  auto bucket = *await(loop_, store->open(soon(), {"app", "b"}));
  auto value = await(loop_, bucket->get(soon(), "k"));
  ASSERT_FALSE(value.has_value());
  EXPECT_EQ(value.error().code(), Errc::kDenied);
  EXPECT_THAT(value.error().message(), ::testing::Not(HasSubstr("s3cret")));
}

TEST_F(RedisFaults, AreToldToWhoAsksWhetherTheServerCanBeUsed) {
  EXPECT_FALSE(backend_->health()->read().asked);
  EXPECT_TRUE(reach_now(loop_, *backend_).has_value());
  EXPECT_TRUE(backend_->health()->read().up);
  proxy_.set(Fault::kRefuse);
  Result<void> reached = reach_now(loop_, *backend_);
  ASSERT_FALSE(reached.has_value());
  EXPECT_EQ(reached.error().code(), Errc::kUnavailable);
  EXPECT_FALSE(backend_->health()->read().up);
}

TEST_F(RedisFaults, AreCounted) {
  ASSERT_TRUE(set("k", "v").has_value());
  proxy_.set(Fault::kCutAsked);
  ASSERT_FALSE(set("k", "w").has_value());
  EXPECT_EQ(get("k"), "w");
  remote::Health::Reading seen = backend_->health()->read();
  EXPECT_TRUE(seen.up);
  EXPECT_EQ(seen.requests, 2U);
  EXPECT_EQ(seen.failures, 1U);
  EXPECT_EQ(seen.losses, 1U);
  EXPECT_GT(seen.time.count(), 0);
}

TEST_F(RedisFaults, OneConnectionServesAllOfALoop) {
  auto other = backend_->store(loop_);
  auto bucket = *await(loop_, other->open(soon(), {"app", "c"}));
  ASSERT_TRUE(set("k", "v").has_value());
  ASSERT_TRUE(await(loop_, bucket->set(soon(), "k", {})).has_value());
  EXPECT_EQ(proxy_.connections(), 1U);
}

}  // namespace
}  // namespace weft::keyvalue::redis
