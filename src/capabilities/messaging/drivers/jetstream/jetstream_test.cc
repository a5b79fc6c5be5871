// Shows what of JetStream is its own: settings, receipts, what is repeated and known again, and
// what becomes of messages when the server or the way to it fails.
#include "capabilities/messaging/drivers/jetstream/jetstream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <set>

#include "capabilities/messaging/drivers/jetstream/receipt.h"
#include "capabilities/messaging/testing.h"
#include "remote/nats/testing.h"
#include "remote/testing/fault_proxy.h"

namespace weft::messaging::jetstream {
namespace {

using remote::FaultProxy;
using remote::RealServer;
using remote::nats::ApiAnswer;
using remote::nats::Client;
using remote::nats::Problem;
using std::chrono::milliseconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = Verdict::Kind;

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"jetstream", {{"url", Secret("nats://x")}}};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  return choice;
}

TEST(JetStreamSettings, AreRead) {
  auto settings = read_settings(choice({{"stream", "SHOP"},
                                        {"prefix", "shop"},
                                        {"replicas", "3"},
                                        {"max-age", "48h"},
                                        {"max-bytes", "1073741824"},
                                        {"ack-wait", "5s"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->stream, "SHOP");
  EXPECT_EQ(settings->prefix, "shop");
  EXPECT_EQ(settings->replicas, 3U);
  EXPECT_EQ(settings->max_age, std::chrono::hours(48));
  EXPECT_EQ(settings->max_bytes, 1 << 30);
  EXPECT_EQ(settings->ack_wait, std::chrono::seconds(5));
}

TEST(JetStreamSettings, SayWhatIsWrong) {
  for (auto [key, value] : {std::pair{"prefix", ""},
                            {"prefix", "a.>"},
                            {"stream", "a.b"},
                            {"stream", ""},
                            {"replicas", "6"},
                            {"max-age", "long"},
                            {"ack-wait", "1ms"}}) {
    auto read = read_settings(choice({{key, value}}));
    ASSERT_FALSE(read.has_value()) << key << value;
    EXPECT_THAT(read.error().message(), HasSubstr(key));
  }
}

TEST(JetStreamReceipts, AreReadInBothForms) {
  auto old = read_receipt("$JS.ACK.orders.group.3.17.4.1699999999.0");
  ASSERT_TRUE(old.has_value());
  EXPECT_EQ(old->deliveries, 3U);
  EXPECT_EQ(old->sequence, 17U);
  auto later = read_receipt("$JS.ACK._.hash.orders.group.3.17.4.1699999999.0.random");
  ASSERT_TRUE(later.has_value());
  EXPECT_EQ(later->deliveries, 3U);
  EXPECT_EQ(later->sequence, 17U);
  for (const char* wrong : {"", "_INBOX.a", "$JS.ACK.a.b.1.2", "$JS.ACK.s.c.x.17.4.1.0",
                            "$JS.ACK.s.c.0.17.4.1.0", "$JS.ACK.s.c.1.0.4.1.0"}) {
    EXPECT_FALSE(read_receipt(wrong).has_value()) << wrong;
  }
}

// A server, a proxy before it, a broker through that, and a client beside it.
class JetStream : public OneQueue {
 protected:
  JetStream() {
    static int tests = 0;
    stream_ = "T" + std::to_string(++tests);
    Settings settings;
    settings.server.endpoints = {{"127.0.0.1", proxy_.port()}};
    settings.server.silence = milliseconds(1'500);
    settings.stream = stream_;
    settings.prefix = stream_;
    settings.ack_wait = milliseconds(700);
    begin(jetstream_backend(settings));
    settings.server.endpoints = {{"127.0.0.1", server().port()}};
    outside_ = std::make_shared<Client>(
        loop_, std::make_shared<const remote::nats::Settings>(settings.server));
  }

  static RealServer& server() {
    static RealServer server(remote::nats::server_command);
    return server;
  }
  void subscribe(Ordering ordering = Ordering::kNone) { subscribe_to(">", ordering); }
  ApiAnswer ask(std::string_view what, boost::json::object body = {}) {
    std::optional<Result<ApiAnswer>> got;
    loop_.post([&] {
      Loop::Turn turn(loop_);
      remote::nats::api(*outside_, what, body, Deadline::after(std::chrono::seconds(10)),
                        Client::Repeat::kRead,
                        [&](Result<ApiAnswer> answer) { got = std::move(answer); });
    });
    CHECK(until([&] { return got.has_value(); }));
    return **std::move(got);
  }
  std::uint64_t kept() {
    ApiAnswer info = ask("STREAM.INFO." + stream_);
    if (info.problem != Problem::kNone) return 999;
    return info.body.at("state").at("messages").to_number<std::uint64_t>();
  }

  FaultProxy proxy_{server().port()};
  std::string stream_;
  std::shared_ptr<Client> outside_;
};

TEST_F(JetStream, AMessageIsKeptUntilItsGroupsAreDoneWithIt) {
  EXPECT_EQ(publish("nobody wants it"), "ok");
  EXPECT_EQ(kept(), 0U);
  judge_ = hold;
  subscribe();
  EXPECT_EQ(publish("1"), "ok");
  ASSERT_TRUE(until([&] { return held_.size() == 1; }));
  EXPECT_EQ(kept(), 1U);
  queue_->settle(held_[0], {});
  EXPECT_TRUE(until([&] { return kept() == 0; }));
}

TEST_F(JetStream, WhatIsHeldLongerThanTheServerWaitsIsNotBroughtTwice) {
  judge_ = hold;
  subscribe();
  EXPECT_EQ(publish("1"), "ok");
  ASSERT_TRUE(until([&] { return held_.size() == 1; }));
  run_for(milliseconds(2'000));
  EXPECT_THAT(taken_, ElementsAre("1"));
  queue_->settle(held_[0], {});
  EXPECT_TRUE(until([&] { return kept() == 0; }));
}

TEST_F(JetStream, AQueueThatGoesLeavesItsMessagesToTheNextWithTheirAttempts) {
  judge_ = [](const Delivery& delivery) -> std::optional<Verdict> {
    if (delivery.attempt == 1) return Verdict{Kind::kFailed, std::chrono::hours(1), "no"};
    return Verdict();
  };
  subscribe(Ordering::kTopic);
  for (const char* text : {"1", "2", "3"}) EXPECT_EQ(publish(text), "ok");
  ASSERT_TRUE(until([&] { return taken_.size() == 1; }));
  run_for(milliseconds(50));
  auto old = std::move(queue_);
  judge_ = done;
  subscribe(Ordering::kTopic);
  old->stop();
  EXPECT_TRUE(until([&] { return taken_.size() == 4 && old->idle(); }));
  EXPECT_THAT(taken_, ElementsAre("1", "1", "2", "3"));
  EXPECT_THAT(attempts_, ElementsAre(1, 2, 1, 1));
  EXPECT_TRUE(until([&] { return kept() == 0; }));
}

TEST_F(JetStream, WhatWasAcknowledgedWhileTheConnectionBrokeIsNotBroughtAgain) {
  judge_ = hold;
  subscribe();
  EXPECT_EQ(publish("1"), "ok");
  ASSERT_TRUE(until([&] { return held_.size() == 1; }));
  proxy_.set(FaultProxy::Fault::kRefuse);
  run_for(milliseconds(1'500));
  queue_->settle(held_[0], {});
  run_for(milliseconds(100));
  proxy_.set(FaultProxy::Fault::kNone);
  EXPECT_TRUE(until([&] { return kept() == 0; }));
  EXPECT_THAT(taken_, ElementsAre("1"));
}

TEST_F(JetStream, AnAnswerThatIsCutOffIsAskedForAgainAndTheMessageKeptOnce) {
  subscribe();
  for (int i = 0; i < 5; ++i) {
    proxy_.set(FaultProxy::Fault::kCutAsked);
    EXPECT_EQ(publish(std::to_string(i)), "ok");
  }
  proxy_.set(FaultProxy::Fault::kNone);
  ASSERT_TRUE(until([&] { return std::set(taken_.begin(), taken_.end()).size() == 5; }));
  ApiAnswer info = ask("STREAM.INFO." + stream_);
  EXPECT_EQ(info.body.at("state").at("last_seq").to_number<std::uint64_t>(), 5U);
}

TEST_F(JetStream, AStreamThatSomebodyRemovesIsMadeAnewWithItsGroups) {
  subscribe();
  EXPECT_EQ(publish("1"), "ok");
  ASSERT_TRUE(until([&] { return taken_.size() == 1; }));
  EXPECT_EQ(ask("STREAM.DELETE." + stream_).problem, Problem::kNone);
  ASSERT_TRUE(until([&] { return publish("2") == "ok" && std::ranges::count(taken_, "2") > 0; }));
}

TEST_F(JetStream, WhatIsHeldOfARemovedStreamIsNotTakenForAMessageOfTheNewOne) {
  judge_ = hold;
  subscribe();
  EXPECT_EQ(publish("1"), "ok");
  ASSERT_TRUE(until([&] { return held_.size() == 1; }));
  EXPECT_EQ(ask("STREAM.DELETE." + stream_).problem, Problem::kNone);
  ASSERT_TRUE(until([&] { return publish("2") == "ok" && held_.size() > 1; }));
  EXPECT_EQ(taken_[1], "2");
  std::uint64_t before = kept();
  queue_->settle(held_[0], {});
  run_for(milliseconds(300));
  EXPECT_EQ(kept(), before);
}

TEST_F(JetStream, AFullStreamRefuses) {
  EXPECT_EQ(ask("STREAM.CREATE." + stream_, {{"name", stream_},
                                             {"subjects", boost::json::array{stream_ + ".>"}},
                                             {"discard", "new"},
                                             {"max_msgs", 1}})
                .problem,
            Problem::kNone);
  EXPECT_EQ(publish("1"), "ok");
  EXPECT_EQ(publish("2"), "full");
}

TEST_F(JetStream, ADeadLetterThatIsTooLargeForTheServerIsKeptWithoutItsData) {
  judge_ = [](const Delivery&) { return Verdict{Kind::kDead, {}, "no"}; };
  subscribe();
  EXPECT_EQ(publish(std::string(kMessageBytesMax - 100, 'x')), "ok");
  EXPECT_TRUE(until([&] { return !taken_.empty() && kept() == 0; }));
  std::optional<Result<std::vector<DeadLetter>>> dead;
  auto work = [&]() -> Task<void> {
    dead = co_await settled(broker_->dead({loop_, Deadline::after(std::chrono::seconds(10))}, 10));
    co_return Result<void>();
  };
  loop_.spawn(work());
  ASSERT_TRUE(until([&] { return dead.has_value(); }));
  ASSERT_TRUE(dead->has_value() && (*dead)->size() == 1);
  EXPECT_THAT((**dead)[0].reason, HasSubstr("too large"));
}

TEST_F(JetStream, OverACrashOfTheServerEachAcknowledgedMessageIsBrought) {
  subscribe();
  std::set<std::string> acknowledged;
  for (int i = 0; i < 60; ++i) {
    if (i == 30) {
      server().kill();
      std::string lost = publish("lost", milliseconds(300));
      EXPECT_TRUE(lost == "unavailable" || lost == "timeout") << lost;
      server().start();
      ASSERT_TRUE(until([&] { return publish("again") == "ok"; }));
    }
    std::string text = std::to_string(i);
    if (publish(text) == "ok") acknowledged.insert(text);
  }
  EXPECT_GE(acknowledged.size(), 59U);
  EXPECT_TRUE(until([&] {
    return std::ranges::all_of(acknowledged, [&](const std::string& text) {
      return std::ranges::count(taken_, text) > 0;
    });
  }));
  EXPECT_THAT(attempts_, Each(::testing::Le(3U)));
}

}  // namespace
}  // namespace weft::messaging::jetstream
