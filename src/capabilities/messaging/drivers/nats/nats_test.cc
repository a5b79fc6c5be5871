// Shows what of core NATS is its own: settings, what other clients of the server see, what is
// dropped, and what becomes of messages when the server or the way to it fails.
#include "capabilities/messaging/drivers/nats/nats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>

#include "capabilities/messaging/drivers/nats/queue.h"
#include "capabilities/messaging/testing.h"
#include "remote/nats/testing.h"

namespace weft::messaging::nats {
namespace {

using remote::RealServer;
using remote::nats::Client;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"nats"};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  return choice;
}

TEST(NatsMessagingSettings, AreRead) {
  auto settings = read_settings(
      choice({{"url", "nats://one,nats://two:5"}, {"token", "t"}, {"timeout", "2s"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->server.endpoints.size(), 2U);
  EXPECT_EQ(settings->server.silence, std::chrono::seconds(2));
  EXPECT_EQ(settings->prefix, "weft.{app}.{broker}");
  EXPECT_EQ(read_settings(choice({{"url", "nats://one"}, {"prefix", ""}}))->prefix, "");
}

TEST(NatsMessagingSettings, SayWhatIsWrong) {
  for (auto [settings, what] :
       {std::pair{choice({}), "no url"}, std::pair{choice({{"url", "http://x"}}), "nats://"},
        std::pair{choice({{"url", "nats://x"}, {"prefix", "a..b"}}), "prefix"}}) {
    auto read = read_settings(settings);
    ASSERT_FALSE(read.has_value());
    EXPECT_THAT(read.error().message(), HasSubstr(what));
  }
}

// A broker without prefix, and a client of somebody else's.
class NatsMessaging : public OneQueue {
 protected:
  explicit NatsMessaging(RealServer& server = remote::nats::shared_server()) : server_(server) {
    Settings settings;
    settings.server.endpoints = {{"127.0.0.1", server.port()}};
    settings.server.silence = milliseconds(1'500);
    settings.prefix = "";
    other_ = std::make_shared<Client>(
        loop_, std::make_shared<const remote::nats::Settings>(settings.server));
    begin(nats_backend(std::move(settings)));
  }

  void subscribe(std::string pattern) { subscribe_to(std::move(pattern)); }
  std::string publish(std::string topic, std::string text,
                      milliseconds time = milliseconds(20'000)) {
    return publish_to(*broker_, {std::move(topic), to_bytes(text)}, time);
  }

  RealServer& server_;
  std::shared_ptr<Client> other_;
};

TEST_F(NatsMessaging, OtherClientsSendReceiveAndAreAnswered) {
  std::vector<std::string> seen;
  ASSERT_TRUE(other_->subscribe("orders.>", "", [&](auto message) {
    seen.push_back(message.subject + "=" + std::string(as_text(message.payload)));
  }));
  subscribe("ask.*");
  EXPECT_EQ(publish("warm.up", "1"), "ok");
  std::string answer;
  loop_.post([&] {
    Loop::Turn turn(loop_);
    other_->request({"ask.x", {{"Trace", "7"}}, to_bytes("?")},
                    Deadline::after(std::chrono::seconds(10)), Client::Repeat::kNo,
                    [&](auto got) { answer = got ? as_text(got->payload) : "none"; });
  });
  ASSERT_TRUE(until([&] { return !taken_.empty(); }));
  EXPECT_EQ(last_.topic, "ask.x");
  EXPECT_THAT(last_.metadata, ElementsAre(std::pair("Trace", "7")));
  ASSERT_TRUE(last_.reply_to.has_value());
  EXPECT_EQ(publish(*last_.reply_to, "!"), "ok");
  EXPECT_TRUE(until([&] { return answer == "!"; }));
  EXPECT_EQ(publish("orders.new", "1"), "ok");
  EXPECT_TRUE(until([&] { return !seen.empty(); }));
  EXPECT_THAT(seen, ElementsAre("orders.new=1"));
  queue_.reset();
}

TEST_F(NatsMessaging, WhatTheServersOwnSubjectsAreIsRefused) {
  EXPECT_EQ(publish("$JS.API.INFO", "x"), "denied");
}

TEST_F(NatsMessaging, WhatComesWhileOneQueueIsReplacedByAnotherIsBroughtByIt) {
  subscribe("t");
  judge_ = hold;
  EXPECT_EQ(publish("t", "1"), "ok");
  ASSERT_TRUE(until([&] { return taken_.size() == 1; }));
  auto old = std::move(queue_);
  subscribe("t");
  old->stop();
  EXPECT_EQ(publish("t", "2"), "ok");
  EXPECT_FALSE(old->idle());
  old->settle(held_.at(0), {Verdict::Kind::kFailed, milliseconds(0), "no"});
  EXPECT_TRUE(old->idle());
  judge_ = done;
  ASSERT_TRUE(until([&] { return taken_.size() == 3; }));
  EXPECT_THAT(taken_, ElementsAre("1", "1", "2"));
  EXPECT_EQ(publish("t", "3"), "ok");
  ASSERT_TRUE(until([&] { return taken_.size() == 4; }));
  queue_.reset();
}

TEST_F(NatsMessaging, DropsWhatAHandlerIsTooSlowFor) {
  subscribe("flood");
  judge_ = hold;
  EXPECT_EQ(publish("flood", "first"), "ok");
  ASSERT_TRUE(until([&] { return taken_.size() == 1; }));
  std::size_t said = 0;
  std::string large(1 << 19, 'x');
  constexpr std::size_t kMany = kPendingBytesMax / (1 << 19) + 20;
  loop_.post([&] {
    Loop::Turn turn(loop_);
    for (std::size_t i = 0; i < kMany; ++i) {
      auto answer = broker_
                        ->publish({loop_, Deadline::after(std::chrono::seconds(20))},
                                  {"flood", to_bytes(large)})
                        .settle([&](Result<void> result) {
                          said += result ? 1 : 0;
                          return Nothing();
                        });
    }
  });
  ASSERT_TRUE(until([&] { return said == kMany; }));
  EXPECT_EQ(publish("flood", "last"), "ok");
  // Those that were kept come; of the rest nothing waits anywhere.
  judge_ = done;
  for (std::uint64_t each : std::exchange(held_, {})) queue_->settle(each, {});
  ASSERT_TRUE(until([&] { return taken_.size() > kMany - 25; }));
  EXPECT_LT(taken_.size(), kMany);
  queue_.reset();
}

class NatsMessagingFaults : public NatsMessaging {
 protected:
  NatsMessagingFaults() : NatsMessaging(own()) {}
  static RealServer& own() {
    static RealServer server(remote::nats::server_command);
    return server;
  }
};

TEST_F(NatsMessagingFaults, AServerThatGoesIsAnErrorInTimeAndWhatComesAfterItsReturnIsBrought) {
  subscribe("t");
  EXPECT_EQ(publish("t", "before"), "ok");
  ASSERT_TRUE(until([&] { return taken_.size() == 1; }));
  server_.kill();
  auto began = Deadline::Clock::now();
  EXPECT_EQ(publish("t", "lost", milliseconds(2'000)), "unavailable");
  EXPECT_LT(Deadline::Clock::now() - began, std::chrono::seconds(5));
  server_.start();
  ASSERT_TRUE(until([&] { return publish("t", "after") == "ok"; }));
  ASSERT_TRUE(until([&] { return taken_.size() >= 2; }));
  EXPECT_EQ(taken_.back(), "after");
  EXPECT_EQ(std::ranges::count(taken_, "lost"), 0);
  queue_.reset();
}

TEST_F(NatsMessagingFaults, AskedWhetherItIsThereItSaysWhatIsWrong) {
  for (auto [port, there] : {std::pair{server_.port(), true}, {remote::free_port(), false}}) {
    Settings settings;
    settings.server.endpoints = {{"127.0.0.1", port}};
    auto backend = nats_backend(std::move(settings));
    std::optional<Result<void>> told;
    loop_.post([&] {
      Loop::Turn turn(loop_);
      backend->reach(loop_, Deadline::after(std::chrono::seconds(5)),
                     [&](Result<void> reached) { told = std::move(reached); });
    });
    ASSERT_TRUE(until([&] { return told.has_value(); }));
    EXPECT_EQ(told->has_value(), there);
  }
}

}  // namespace
}  // namespace weft::messaging::nats
