// Shows what of the etcd driver is its own: settings, what is stored, how writes go together, and
// what becomes of requests when the server or the way to it fails.
#include "capabilities/keyvalue/drivers/etcd/etcd.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "capabilities/keyvalue/drivers/one_bucket.h"
#include "capabilities/keyvalue/testing.h"
#include "remote/base64.h"
#include "remote/etcd/testing.h"
#include "remote/testing/fault_proxy.h"

namespace weft::keyvalue::etcd {
namespace {

namespace json = boost::json;
using remote::FaultProxy;
using remote::etcd::Client;
using ::testing::HasSubstr;
using Fault = FaultProxy::Fault;

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"etcd"};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  return choice;
}

TEST(EtcdDriverSettings, AreRead) {
  auto settings = read_settings(choice({{"url", "http://one,http://two:5"},
                                        {"username", "me"},
                                        {"password", "p"},
                                        {"prefix", "prod/weft/"},
                                        {"timeout", "2s"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->server.servers.size(), 2U);
  EXPECT_EQ(settings->server.user, "me");
  EXPECT_EQ(settings->server.password.reveal(), "p");
  EXPECT_EQ(settings->server.timeout, std::chrono::seconds(2));
  EXPECT_EQ(settings->prefix, "prod/weft");
}

TEST(EtcdDriverSettings, SayWhatIsWrong) {
  for (auto [settings, what] :
       {std::pair{choice({}), "no url"}, std::pair{choice({{"url", "etcd://x"}}), "http://"},
        std::pair{choice({{"url", "http://x"}, {"prefix", "/"}}), "prefix"},
        std::pair{choice({{"url", "http://x"}, {"prefix", std::string(251, 'p')}}), "prefix"},
        std::pair{choice({{"url", "http://x"}, {"timeout", "1ms"}}), "at least"}}) {
    auto read = read_settings(settings);
    ASSERT_FALSE(read.has_value());
    EXPECT_THAT(read.error().message(), HasSubstr(what));
  }
}

// A server of the test's own, a proxy before it, and a bucket.
class EtcdFaults : public OneBucket {
 protected:
  EtcdFaults() {
    Settings settings;
    settings.server.servers = {fmt::format("http://127.0.0.1:{}", proxy_.port())};
    settings.server.timeout = std::chrono::seconds(2);
    open(etcd_backend(settings));
    // What another client of etcd knows of the same keys, without the proxy.
    settings.server.servers = {fmt::format("http://127.0.0.1:{}", server_.port())};
    outside_ = std::make_shared<Client>(
        loop_, std::make_shared<const remote::etcd::Settings>(settings.server));
  }
  json::object ask(std::string_view path, std::string body) {
    Promise<json::object> promise;
    auto answer = promise.answer();
    auto done = [&](Result<json::object> got) { std::move(promise).fulfil(std::move(got)); };
    loop_.post([&] {
      Loop::Turn turn(loop_);
      outside_->ask(path, body, soon().deadline, Client::Repeat::kYes, done);
    });
    auto got = await(loop_, std::move(answer));
    CHECK(got.has_value());
    return *std::move(got);
  }
  // etcd's count of transactions that changed something.
  std::uint64_t revision() {
    auto answer = ask("kv/range", R"({"key":"eA=="})");
    return remote::etcd::number_in(*remote::etcd::object_in(answer, "header"), "revision");
  }

  remote::etcd::Server server_;
  FaultProxy proxy_{server_.port()};
  std::shared_ptr<Client> outside_;
};

TEST_F(EtcdFaults, OthersReadAndWriteTheSameKeys) {
  ASSERT_TRUE(set("cart", "bread").has_value());
  auto found = ask("kv/range",
                   fmt::format(R"({{"key":"{}"}})", remote::base64(as_bytes("weft/app/b/cart"))));
  const json::array* keys = remote::etcd::array_in(found, "kvs");
  ASSERT_NE(keys, nullptr);
  EXPECT_EQ(keys->front().get_object().at("value").as_string(), "YnJlYWQ=");
  ask("kv/put", fmt::format(R"({{"key":"{}","value":"bWlsaw=="}})",
                            remote::base64(as_bytes("weft/app/b/theirs"))));
  EXPECT_EQ(get("theirs"), "milk");
  ask("kv/put", fmt::format(R"({{"key":"{}","value":"bWlsaw=="}})",
                            remote::base64(as_bytes("weft/app/bb/other"))));
  auto page = await(loop_, bucket_->list(soon(), std::nullopt));
  ASSERT_TRUE(page.has_value());
  EXPECT_THAT(page->keys, ::testing::ElementsAre("cart", "theirs"));
}

TEST_F(EtcdFaults, ABatchThatFitsIsOneTransactionAndALargerOneSeveral) {
  auto write = [&](int count, std::size_t bytes) {
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) names.push_back(fmt::format("{:05}", i));
    Bytes value(bytes);
    std::vector<Pair> pairs;
    for (auto& name : names) pairs.emplace_back(name, value);
    std::uint64_t before = revision();
    auto done = await(loop_, bucket_->set_many(soon(), pairs));
    EXPECT_TRUE(done.has_value()) << done.error().message();
    EXPECT_EQ(await(loop_, bucket_->get(soon(), names.back()))->value().size(), bytes);
    return revision() - before;
  };
  EXPECT_EQ(write(128, 10), 1U);
  EXPECT_EQ(write(129, 10), 2U);
  EXPECT_EQ(write(3, 1'000'000), 3U);
  EXPECT_EQ(write(10, 100'000), 1U);
}

TEST_F(EtcdFaults, WritesThatWaitGoTogether) {
  std::uint64_t before = revision();
  std::vector<std::string> names;
  std::vector<Answer<void>> answers;
  for (int i = 0; i < 100; ++i) names.push_back(std::to_string(i));
  for (auto& name : names) answers.push_back(bucket_->set(soon(), name, as_bytes(name)));
  for (auto& answer : answers) ASSERT_TRUE(await(loop_, std::move(answer)).has_value());
  EXPECT_LE(revision() - before, 2U);
  EXPECT_EQ(get("99"), "99");
}

TEST_F(EtcdFaults, AValueThatEtcdDoesNotTakeIsRefusedWithItsBound) {
  auto done = set("k", std::string(kEtcdValueBytesMax + 1, 'x'));
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code(), Errc::kInvalid);
  EXPECT_THAT(done.error().message(), HasSubstr(std::to_string(kEtcdValueBytesMax)));
}

TEST_F(EtcdFaults, SlicedDelayedAndThrottledBytesAreTheSameBytes) {
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
    auto page = await(loop_, bucket_->list(soon(), std::nullopt));
    ASSERT_TRUE(page.has_value()) << page.error().message();
    EXPECT_EQ(page->keys.size(), 2U);
  }
}

TEST_F(EtcdFaults, ARefusedConnectionIsToldSoonAndRecoversByItself) {
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

TEST_F(EtcdFaults, AStalledServerIsGivenUp) {
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

TEST_F(EtcdFaults, AConnectionCutInAnAnswerIsMadeAgainForReads) {
  ASSERT_TRUE(set("k", "value").has_value());
  for (Fault fault : {Fault::kCut, Fault::kCutAsked}) {
    proxy_.set(fault);
    EXPECT_EQ(get("k"), "value");
  }
}

TEST_F(EtcdFaults, AWriteWhoseAnswerIsLostIsNotSentAgain) {
  for (int round = 1; round <= 6; ++round) {
    ASSERT_TRUE(set("n", "0").has_value());
    std::uint64_t before = revision();
    auto answer = bucket_->set(soon(), "n", as_bytes("1"));
    proxy_.set(round % 2 == 0 ? Fault::kCut : Fault::kCutAsked);
    auto done = await(loop_, std::move(answer));
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().code(), Errc::kUnavailable);
    EXPECT_THAT(done.error().message(), HasSubstr("whether it was done is not known"));
    EXPECT_EQ(get("n"), "1");
    EXPECT_EQ(revision() - before, 1U);
  }
}

TEST_F(EtcdFaults, AServerThatIsKilledLosesNothingItAcknowledged) {
  for (int round = 0; round < 3; ++round) {
    std::string value = std::to_string(round);
    ASSERT_TRUE(set("k", value).has_value());
    server_.kill();
    server_.start();
    EXPECT_TRUE(recovers("k", value));
  }
}

TEST_F(EtcdFaults, AreToldToWhoAsksWhetherTheServerCanBeUsed) {
  EXPECT_FALSE(backend_->health()->read().asked);
  Result<void> reached = reach_now(loop_, *backend_);
  EXPECT_TRUE(reached.has_value()) << reached.error().message();
  EXPECT_TRUE(backend_->health()->read().up);
  EXPECT_GT(backend_->health()->read().requests, 0U);
  proxy_.set(Fault::kRefuse);
  reached = reach_now(loop_, *backend_);
  ASSERT_FALSE(reached.has_value());
  EXPECT_EQ(reached.error().code(), Errc::kUnavailable);
  EXPECT_FALSE(backend_->health()->read().up);
  EXPECT_GT(backend_->health()->read().losses, 0U);
}

TEST_F(EtcdFaults, AFrozenServerHoldsNobodyLongerThanTheTimeOut) {
  ASSERT_TRUE(set("k", "v").has_value());
  server_.freeze();
  // Its threads stop one after the other.
  Deadline limit = Deadline::after(std::chrono::seconds(20));
  while (!get("k").starts_with("(error)") && !limit.passed()) {
  }
  auto start = Deadline::Clock::now();
  EXPECT_THAT(get("k"), HasSubstr("(error)"));
  EXPECT_LT(Deadline::Clock::now() - start, std::chrono::seconds(10));
  server_.thaw();
  EXPECT_TRUE(recovers("k", "v"));
}

}  // namespace
}  // namespace weft::keyvalue::etcd
