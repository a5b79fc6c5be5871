// Shows what of the NATS driver is its own: settings, what others see of its buckets, and what
// becomes of requests when the server or the way to it fails.
#include "capabilities/keyvalue/drivers/nats/nats.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/json.hpp>
#include <thread>

#include "capabilities/keyvalue/drivers/nats/names.h"
#include "capabilities/keyvalue/drivers/one_bucket.h"
#include "capabilities/keyvalue/testing.h"
#include "remote/nats/testing.h"
#include "remote/testing/fault_proxy.h"

namespace weft::keyvalue::nats {
namespace {

namespace json = boost::json;
using remote::FaultProxy;
using remote::RealServer;
using remote::nats::ApiAnswer;
using remote::nats::Client;
using remote::nats::Problem;
using ::testing::HasSubstr;
using Fault = FaultProxy::Fault;

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"nats"};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  return choice;
}

TEST(NatsSettings, AreRead) {
  auto settings = read_settings(choice({{"url", "nats://one,nats://two:5"},
                                        {"token", "t"},
                                        {"prefix", "prod"},
                                        {"replicas", "3"},
                                        {"timeout", "2s"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->server.endpoints.size(), 2U);
  EXPECT_EQ(settings->server.token.reveal(), "t");
  EXPECT_EQ(settings->server.silence, std::chrono::seconds(2));
  EXPECT_EQ(settings->prefix, "prod");
  EXPECT_EQ(settings->replicas, 3U);
}

TEST(NatsSettings, SayWhatIsWrong) {
  for (auto [settings, what] :
       {std::pair{choice({}), "no url"}, std::pair{choice({{"url", "http://x"}}), "nats://"},
        std::pair{choice({{"url", "nats://x"}, {"prefix", "a.b"}}), "prefix"},
        std::pair{choice({{"url", "nats://x"}, {"prefix", ""}}), "prefix"},
        std::pair{choice({{"url", "nats://x"}, {"replicas", "6"}}), "replicas"},
        std::pair{choice({{"url", "nats://x"}, {"replicas", "many"}}), "replicas"}}) {
    auto read = read_settings(settings);
    ASSERT_FALSE(read.has_value());
    EXPECT_THAT(read.error().message(), HasSubstr(what));
  }
}

// A server of the test's own, a proxy before it, and a bucket.
class NatsFaults : public OneBucket {
 protected:
  NatsFaults() {
    Settings settings;
    settings.server.endpoints = {{"127.0.0.1", proxy_.port()}};
    settings.server.silence = std::chrono::milliseconds(1'500);
    settings.marker_stays = std::chrono::milliseconds(20);
    open(nats_backend(settings));
    // What a client of NATS knows of the same bucket, without the proxy.
    settings.server.endpoints = {{"127.0.0.1", server_.port()}};
    outside_ = std::make_shared<Client>(
        loop_, std::make_shared<const remote::nats::Settings>(settings.server));
  }
  ApiAnswer ask(std::string_view what, json::object body = {}) {
    Promise<ApiAnswer> promise;
    auto answer = promise.answer();
    remote::nats::api(*outside_, what, body, soon().deadline, Client::Repeat::kRead,
                      [&](Result<ApiAnswer> got) { std::move(promise).fulfil(std::move(got)); });
    auto got = await(loop_, std::move(answer));
    CHECK(got.has_value());
    return *std::move(got);
  }
  std::uint64_t messages() {
    ApiAnswer info = ask("STREAM.INFO.KV_weft__app__b");
    return info.body.at("state").at("messages").to_number<std::uint64_t>();
  }
  void publish(std::string_view subject, std::string_view text) {
    Promise<std::uint64_t> promise;
    auto answer = promise.answer();
    remote::nats::publish(*outside_, {std::string(subject), {}, to_bytes(text)}, soon().deadline,
                          Client::Repeat::kNo, [&](Result<remote::nats::PublishAck> ack) {
                            CHECK(ack.has_value());
                            std::move(promise).fulfil(ack->sequence);
                          });
    ASSERT_GT(*await(loop_, std::move(answer)), 0U);
  }

  RealServer server_{remote::nats::server_command};
  FaultProxy proxy_{server_.port()};
  std::shared_ptr<Client> outside_;
};

TEST_F(NatsFaults, OthersReadAndWriteTheSameBucket) {
  ASSERT_TRUE(set("user.1/cart", "bread").has_value());
  ApiAnswer got =
      ask("STREAM.MSG.GET.KV_weft__app__b", {{"last_by_subj", "$KV.weft__app__b.user.1/cart"}});
  ASSERT_EQ(got.problem, Problem::kNone) << got.error.message();
  EXPECT_EQ(got.body.at("message").at("data").as_string(), "YnJlYWQ=");
  publish("$KV.weft__app__b.theirs", "milk");
  EXPECT_EQ(get("theirs"), "milk");
  // A key that no key of weft's is written as: it is there for them alone.
  publish("$KV.weft__app__b.a=b", "x");
  auto page = await(loop_, bucket_->list(soon(), std::nullopt));
  ASSERT_TRUE(page.has_value()) << page.error().message();
  EXPECT_THAT(page->keys, ::testing::ElementsAre("theirs", "user.1/cart"));
}

TEST_F(NatsFaults, ABucketIsMadeWhenItIsUsedFirst) {
  EXPECT_EQ(ask("STREAM.INFO.KV_weft__app__b").problem, Problem::kStreamNotFound);
  EXPECT_EQ(get("k"), "(none)");
  ApiAnswer info = ask("STREAM.INFO.KV_weft__app__b");
  ASSERT_EQ(info.problem, Problem::kNone);
  EXPECT_EQ(info.body.at("config").at("max_msgs_per_subject").as_int64(), 1);
  EXPECT_EQ(info.body.at("config").at("num_replicas").as_int64(), 1);
}

TEST_F(NatsFaults, ManyLoopsMakeABucketOnce) {
  // Of nats-server 2.9 a race of reads with the making of a stream is the end.
  for (int round = 0; round < 10; ++round) {
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        Loop loop;
        auto store = backend_->store(loop);
        Request mine{loop, Deadline::after(std::chrono::seconds(20))};
        auto bucket = await(loop, store->open(mine, {"app", fmt::format("many{}", round)}));
        for (int n = 0; n < 5; ++n) {
          bool done = i % 2 == 0 ? await(loop, (*bucket)->get(mine, "k")).has_value()
                                 : await(loop, (*bucket)->set(mine, "k", {})).has_value();
          if (!done) ++wrong;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

TEST_F(NatsFaults, ABucketThatOthersMadeIsTakenAsItIs) {
  ASSERT_EQ(ask("STREAM.CREATE.KV_weft__app__b", {{"name", "KV_weft__app__b"},
                                                  {"subjects", json::array{"$KV.weft__app__b.>"}},
                                                  {"storage", "memory"},
                                                  {"max_msgs_per_subject", 5},
                                                  {"allow_rollup_hdrs", true}})
                .problem,
            Problem::kNone);
  ASSERT_TRUE(set("k", "1").has_value());
  ASSERT_TRUE(set("k", "2").has_value());
  EXPECT_EQ(get("k"), "2");
  EXPECT_EQ(messages(), 2U);
  // What is deleted stays so, with all that the history has.
  ASSERT_TRUE(await(loop_, bucket_->erase(soon(), "k")).has_value());
  EXPECT_EQ(get("k"), "(none)");
}

TEST_F(NatsFaults, TheMarkersOfDeletedKeysGoAndWhatWasWrittenSinceStays) {
  std::vector<std::string> names;
  std::vector<std::string_view> keys;
  for (int i = 0; i < 50; ++i) names.push_back(std::to_string(i));
  for (auto& name : names) keys.push_back(name);
  ASSERT_TRUE(set("stays", "v").has_value());
  ASSERT_TRUE(await(loop_, bucket_->erase_many(soon(), keys)).has_value());
  ASSERT_TRUE(set("7", "again").has_value());
  Deadline limit = Deadline::after(std::chrono::seconds(20));
  while (messages() > 2 && !limit.passed()) {
  }
  EXPECT_EQ(messages(), 2U);
  EXPECT_EQ(get("7"), "again");
  EXPECT_EQ(get("stays"), "v");
}

TEST_F(NatsFaults, ABucketThatWasRemovedIsMadeAnew) {
  ASSERT_TRUE(set("k", "v").has_value());
  ASSERT_EQ(ask("STREAM.DELETE.KV_weft__app__b").problem, Problem::kNone);
  EXPECT_EQ(get("k"), "(none)");
  auto lost = set("k", "w");
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code(), Errc::kUnavailable);
  EXPECT_THAT(lost.error().message(), HasSubstr("no stream"));
  ASSERT_TRUE(set("k", "x").has_value());
  EXPECT_EQ(get("k"), "x");
}

TEST_F(NatsFaults, SlicedDelayedAndThrottledBytesAreTheSameBytes) {
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

TEST_F(NatsFaults, ARefusedConnectionIsToldSoonAndRecoversByItself) {
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

TEST_F(NatsFaults, AStalledServerIsGivenUp) {
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
  EXPECT_THAT(written.error().message(), HasSubstr("whether it was done is not known"));
  proxy_.set(Fault::kNone);
  Deadline limit = Deadline::after(std::chrono::seconds(20));
  while (get("k").starts_with("(error)") && !limit.passed()) {
  }
  // What had no answer may be done later or not at all: never twice, and nothing of it is half.
  EXPECT_THAT(get("k"), ::testing::AnyOf("v", "w", "x"));
  ASSERT_TRUE(set("k", "y").has_value());
  EXPECT_EQ(get("k"), "y");
}

TEST_F(NatsFaults, AConnectionCutInAnAnswerIsMadeAgainForReads) {
  ASSERT_TRUE(set("k", "value").has_value());
  for (Fault fault : {Fault::kCut, Fault::kCutAsked}) {
    proxy_.set(fault);
    EXPECT_EQ(get("k"), "value");
  }
}

TEST_F(NatsFaults, AWriteWhoseAnswerIsLostIsDoneOnce) {
  ASSERT_TRUE(set("n", "0").has_value());
  for (int round = 1; round <= 10; ++round) {
    // Either the read or the write of it is cut off.
    proxy_.set(round % 2 == 0 ? Fault::kCut : Fault::kCutAsked);
    auto sum = await(loop_, bucket_->increment(soon(), "n", 1));
    ASSERT_TRUE(sum.has_value()) << sum.error().message();
    EXPECT_EQ(*sum, 3 * round - 2);
    proxy_.set(round % 2 == 0 ? Fault::kCut : Fault::kCutAsked);
    ASSERT_TRUE(set("k", std::to_string(round)).has_value());
    EXPECT_EQ(get("k"), std::to_string(round));
    auto snapshot = await(loop_, bucket_->snapshot(soon(), "n"));
    ASSERT_TRUE(snapshot.has_value());
    proxy_.set(round % 2 == 0 ? Fault::kCut : Fault::kCutAsked);
    auto lost = await(
        loop_, bucket_->swap(soon(), "n", *snapshot, as_bytes(std::to_string(3 * round - 1))));
    ASSERT_TRUE(lost.has_value()) << lost.error().message();
    EXPECT_FALSE(lost->has_value()) << "it was done, and said to be lost";
    ASSERT_TRUE(set("n", std::to_string(3 * round)).has_value());
  }
}

TEST_F(NatsFaults, AWriteIsNotRepeatedToAnotherServer) {
  ASSERT_TRUE(set("k", "0").has_value());
  proxy_.set(Fault::kStall);
  auto answer = bucket_->set(soon(), "k", as_bytes("1"));
  Deadline sent = Deadline::after(std::chrono::milliseconds(20));
  while (!sent.passed()) {
    loop_.context().restart();
    loop_.context().run_for(std::chrono::milliseconds(5));
  }
  server_.kill();
  server_.start();
  proxy_.set(Fault::kNone);
  auto written = await(loop_, std::move(answer));
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code(), Errc::kUnavailable);
  EXPECT_THAT(written.error().message(), HasSubstr("whether it was done is not known"));
  EXPECT_TRUE(recovers("k", "0"));
}

TEST_F(NatsFaults, AServerThatIsKilledLosesNothingItAcknowledged) {
  for (int round = 0; round < 5; ++round) {
    std::string value = std::to_string(round);
    ASSERT_TRUE(set("k", value).has_value());
    server_.kill();
    server_.start();
    EXPECT_TRUE(recovers("k", value));
  }
}

TEST_F(NatsFaults, AFrozenServerHoldsNobodyLongerThanTheTimeOut) {
  ASSERT_TRUE(set("k", "v").has_value());
  server_.freeze();
  auto start = Deadline::Clock::now();
  EXPECT_THAT(get("k"), HasSubstr("(error)"));
  EXPECT_LT(Deadline::Clock::now() - start, std::chrono::seconds(10));
  server_.thaw();
  EXPECT_TRUE(recovers("k", "v"));
}

TEST_F(NatsFaults, AServerWithoutJetStreamIsAnErrorThatSaysSo) {
  RealServer plain([](std::uint16_t port, const std::string&) {
    return std::vector<std::string>{"nats-server", "-a", "127.0.0.1", "-p", std::to_string(port)};
  });
  Settings settings;
  settings.server.endpoints = {{"127.0.0.1", plain.port()}};
  auto backend = nats_backend(settings);
  auto store = backend->store(loop_);
  auto bucket = *await(loop_, store->open(soon(), {"app", "b"}));
  for (Error error : {await(loop_, bucket->get(soon(), "k")).error(),
                      await(loop_, bucket->set(soon(), "k", {})).error(),
                      await(loop_, bucket->list(soon(), std::nullopt)).error()}) {
    EXPECT_EQ(error.code(), Errc::kUnavailable);
    EXPECT_THAT(error.message(), HasSubstr("JetStream is not there"));
  }
  Result<void> reached = reach_now(loop_, *backend);
  ASSERT_FALSE(reached.has_value());
  EXPECT_THAT(reached.error().message(), HasSubstr("JetStream is not there"));
}

TEST_F(NatsFaults, AreToldToWhoAsksWhetherTheServerCanBeUsed) {
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

TEST_F(NatsFaults, OneConnectionServesAllOfALoop) {
  auto other = backend_->store(loop_);
  auto bucket = *await(loop_, other->open(soon(), {"app", "c"}));
  ASSERT_TRUE(set("k", "v").has_value());
  ASSERT_TRUE(await(loop_, bucket->set(soon(), "k", {})).has_value());
  EXPECT_EQ(proxy_.connections(), 1U);
}

}  // namespace
}  // namespace weft::keyvalue::nats
