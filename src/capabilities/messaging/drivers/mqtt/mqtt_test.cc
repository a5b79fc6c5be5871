// Shows what of MQTT is its own: settings, topics, what is not acknowledged, and what becomes of
// messages when the server or the way to it fails.
#include "capabilities/messaging/drivers/mqtt/mqtt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <set>

#include "capabilities/messaging/drivers/mqtt/topics.h"
#include "capabilities/messaging/testing.h"
#include "remote/mqtt/testing.h"
#include "remote/testing/fault_proxy.h"

namespace weft::messaging::mqtt {
namespace {

using remote::FaultProxy;
using remote::RealServer;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = Verdict::Kind;

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"mqtt"};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  return choice;
}

TEST(MqttSettings, AreRead) {
  auto settings = read_settings(choice({{"url", "mqtt://me:pass@host"},
                                        {"prefix", "plant/{app}"},
                                        {"qos", "2"},
                                        {"session", "1h"},
                                        {"client-id", "one"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->server.endpoint.port, 1883);
  EXPECT_EQ(settings->server.user, "me");
  EXPECT_EQ(settings->prefix, "plant/{app}");
  EXPECT_EQ(settings->qos, 2);
  EXPECT_EQ(settings->session, std::chrono::hours(1));
  EXPECT_EQ(read_settings(choice({{"url", "mqtts://h"}}))->server.endpoint.port, 8883);
}

TEST(MqttSettings, SayWhatIsWrong) {
  for (auto [settings, what] :
       {std::pair{choice({}), "no url"}, std::pair{choice({{"url", "nats://x"}}), "mqtt://"},
        std::pair{choice({{"url", "mqtt://x/y"}}), "path"},
        std::pair{choice({{"url", "mqtt://x"}, {"prefix", "a//b"}}), "prefix"},
        std::pair{choice({{"url", "mqtt://x"}, {"prefix", "a.b"}}), "prefix"},
        std::pair{choice({{"url", "mqtt://x"}, {"qos", "3"}}), "qos"},
        std::pair{choice({{"url", "mqtt://x"}, {"session", "1ms"}}), "session"},
        std::pair{choice({{"url", "mqtt://x"}, {"ca-file", "f"}}), "mqtts://"}}) {
    auto read = read_settings(settings);
    ASSERT_FALSE(read.has_value()) << what;
    EXPECT_THAT(read.error().message(), HasSubstr(what));
  }
}

TEST(MqttTopics, HaveSlashesForDots) {
  Topics topics("plant/7");
  EXPECT_EQ(*topics.name("line.temp"), "plant/7/line/temp");
  EXPECT_EQ(*topics.filter("line.*.>"), "plant/7/line/+/#");
  EXPECT_EQ(topics.topic("plant/7/line/temp"), "line.temp");
  EXPECT_EQ(topics.topic("plant/8/line"), std::nullopt);
  EXPECT_EQ(topics.topic("plant/7/a.b"), std::nullopt);
  EXPECT_EQ(topics.topic("plant/7"), std::nullopt);
  EXPECT_EQ(*topics.name("_reply.x.1"), "_reply/x/1");
  for (const char* wrong : {"a/b", "a+", "#"}) {
    EXPECT_EQ(topics.name(wrong).error().code(), Errc::kInvalid);
  }
  EXPECT_EQ(Topics("").name("$SYS.x").error().code(), Errc::kDenied);
}

TEST(MqttTopics, AMessageComesBackAsItWentWhateverIsInItsMetadata) {
  Topics topics("p");
  Message message{"t.u", to_bytes("data"), "text/plain", "back", {{"a", "1"}}};
  for (const char* text : {"", " ", "%41", "\n", "\xc2\x85", "\xf0\x9f\xbf\xbe", "Weft-Metadata"}) {
    message.metadata.emplace_back(text, text);
  }
  auto out = to_wire(topics, message);
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(from_wire(topics, *out), message);
  for (const auto& [key, value] : out->properties.user) EXPECT_FALSE(key.contains('\xf0'));
  message.metadata.emplace_back("large", std::string(70'000, 'x'));
  EXPECT_EQ(to_wire(topics, message).error().code(), Errc::kInvalid);
}

class MqttMessaging : public OneQueue, public ::testing::WithParamInterface<int> {
 protected:
  MqttMessaging() {
    static int tests = 0;
    settings_.server.endpoint = {"127.0.0.1", proxy_.port()};
    settings_.server.silence = milliseconds(1'500);
    settings_.prefix = "test" + std::to_string(++tests);
    settings_.client_id = settings_.prefix;
    settings_.qos = static_cast<std::uint8_t>(GetParam());
    start();
  }
  void start() { begin(mqtt_backend(settings_)); }
  static RealServer& server() {
    static RealServer server(remote::mqtt::server_command);
    return server;
  }
  void subscribe() { subscribe_to("t"); }

  FaultProxy proxy_{server().port()};
  Settings settings_;
};

TEST_P(MqttMessaging, AMessageIsBroughtOnce) {
  subscribe();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(publish(std::to_string(i)), "ok");
  EXPECT_TRUE(until([&] { return taken_.size() >= 100; }));
  EXPECT_EQ(std::set(taken_.begin(), taken_.end()).size(), taken_.size());
}

TEST_P(MqttMessaging, WhatWasNotAcknowledgedComesAgainToTheNextOfTheSession) {
  if (GetParam() == 0) GTEST_SKIP() << "nothing is acknowledged";
  judge_ = hold;
  subscribe();
  EXPECT_EQ(publish("1"), "ok");
  EXPECT_EQ(publish("2"), "ok");
  ASSERT_TRUE(until([&] { return held_.size() == 2; }));
  queue_->settle(held_[0], {});
  until([run = 0]() mutable { return ++run > 10; });
  judge_ = done;
  start();
  subscribe();
  EXPECT_TRUE(until([&] { return taken_.size() == 3; }));
  EXPECT_THAT(taken_, ElementsAre("1", "2", "2"));
}

TEST_P(MqttMessaging, WhatIsHeldWhenTheConnectionBreaksIsNotBroughtTwice) {
  if (GetParam() == 0) GTEST_SKIP() << "nothing is acknowledged";
  judge_ = hold;
  subscribe();
  EXPECT_EQ(publish("1"), "ok");
  EXPECT_EQ(publish("2"), "ok");
  ASSERT_TRUE(until([&] { return held_.size() == 2; }));
  proxy_.set(FaultProxy::Fault::kRefuse);
  until([run = 0]() mutable { return ++run > 20; });
  queue_->settle(held_[0], {});
  proxy_.set(FaultProxy::Fault::kNone);
  judge_ = done;
  ASSERT_TRUE(until([&] { return publish("3") == "ok" && count("3") > 0; }));
  EXPECT_EQ(count("1"), 1);
  EXPECT_EQ(count("2"), 1);
  queue_->settle(held_[1], {});
  EXPECT_EQ(publish("4"), "ok");
  EXPECT_TRUE(until([&] { return count("4") == 1; }));
}

TEST_P(MqttMessaging, AServerThatGoesIsAnErrorInTimeAndItGoesOnAfterwards) {
  subscribe();
  EXPECT_EQ(publish("before"), "ok");
  ASSERT_TRUE(until([&] { return count("before") == 1; }));
  server().kill();
  until([run = 0]() mutable { return ++run > 20; });
  auto began = Deadline::Clock::now();
  std::string lost = publish("lost", milliseconds(500));
  EXPECT_TRUE(lost == "unavailable" || lost == "timeout") << lost;
  EXPECT_LT(Deadline::Clock::now() - began, std::chrono::seconds(5));
  server().start();
  ASSERT_TRUE(until([&] { return publish("after") == "ok" && count("after") > 0; }));
}

INSTANTIATE_TEST_SUITE_P(qos, MqttMessaging, ::testing::Values(0, 1, 2));

// A Mosquitto with `max_inflight_messages 0` heeds no Receive Maximum: it sends all that waits.
class MqttWithoutAWindow : public OneQueue, public ::testing::WithParamInterface<int> {
 protected:
  MqttWithoutAWindow() {
    settings_.server.endpoint = {"127.0.0.1", proxy_.port()};
    settings_.server.silence = milliseconds(1'000);
    static int tests = 0;
    settings_.prefix = "flood" + std::to_string(++tests);
    settings_.client_id = settings_.prefix;
    settings_.qos = static_cast<std::uint8_t>(GetParam());
    patience_ = std::chrono::seconds(60);
    start();
  }
  void start() { begin(mqtt_backend(settings_)); }
  static RealServer& server() {
    static RealServer server([](std::uint16_t port, const std::string& folder) {
      return remote::mqtt::server_command_with("max_inflight_messages 0\n", port, folder);
    });
    return server;
  }
  // All of them at once. How many were kept.
  std::size_t publish_many(std::size_t count, std::size_t bytes) {
    std::size_t told = 0;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count; ++i) {
      std::string text = std::to_string(i) + " ";
      text.resize(std::max(text.size(), bytes), '.');
      auto answer = broker_->publish({loop_, Deadline::after(patience_)}, {"t", to_bytes(text)})
                        .settle([&](Result<void> done) {
                          ++told;
                          kept += done.has_value() ? 1 : 0;
                          return Nothing();
                        });
    }
    until([&] { return told == count; });
    return kept;
  }

  FaultProxy proxy_{server().port()};
  Settings settings_;
};

TEST_P(MqttWithoutAWindow, WhatWaitsAtTheServerComesAsItIsDoneOverOneConnection) {
  constexpr std::size_t kMany = 12'000;
  subscribe_to("t");
  ASSERT_EQ(publish("first"), "ok");
  ASSERT_TRUE(until([&] { return count("first") == 1; }));
  start();
  ASSERT_EQ(publish_many(kMany, 0), kMany);
  taken_.clear();
  std::size_t connections = proxy_.connections();
  judge_ = hold;
  subscribe_to("t");
  ASSERT_TRUE(until([&] { return held_.size() == 8; }));
  // For longer than a server may be silent.
  run_for(settings_.server.silence * 4);
  judge_ = done;
  for (std::uint64_t id : held_) queue_->settle(id, {});
  // The first may have gone with the client before it was acknowledged, and come again.
  auto many = [&] { return taken_.size() - count("first"); };
  EXPECT_TRUE(until([&] { return many() >= kMany; })) << taken_.size();
  run_for(milliseconds(200));
  std::erase(taken_, "first");
  EXPECT_EQ(taken_.size(), kMany);
  EXPECT_EQ(std::set(taken_.begin(), taken_.end()).size(), kMany);
  EXPECT_EQ(proxy_.connections(), connections + 1);
}

TEST_P(MqttWithoutAWindow, AConnectionThatBreaksWhileTheServerWaitsBringsTheRest) {
  constexpr std::size_t kMany = 6'000;
  subscribe_to("t");
  ASSERT_EQ(publish("first"), "ok");
  ASSERT_TRUE(until([&] { return count("first") == 1; }));
  start();
  ASSERT_EQ(publish_many(kMany, 0), kMany);
  taken_.clear();
  judge_ = hold;
  subscribe_to("t");
  ASSERT_TRUE(until([&] { return held_.size() == 8; }));
  run_for(milliseconds(200));
  proxy_.set(FaultProxy::Fault::kRefuse);
  run_for(milliseconds(100));
  proxy_.set(FaultProxy::Fault::kNone);
  judge_ = done;
  for (std::uint64_t id : held_) queue_->settle(id, {});
  auto all = [&] { return std::set(taken_.begin(), taken_.end()).size() >= kMany; };
  // What was done with before the break is seen may come twice.
  EXPECT_TRUE(until(all)) << taken_.size();
}

TEST_P(MqttWithoutAWindow, LargeMessagesWaitAtTheServerToo) {
  constexpr std::size_t kMany = 100;  // 100 MB, of which a group holds 64 MiB.
  subscribe_to("t");
  ASSERT_EQ(publish("first"), "ok");
  ASSERT_TRUE(until([&] { return count("first") == 1; }));
  start();
  for (std::size_t i = 0; i < kMany / 20; ++i) ASSERT_EQ(publish_many(20, 1'000'000), 20U);
  taken_.clear();
  std::size_t connections = proxy_.connections();
  judge_ = hold;
  subscribe_to("t");
  ASSERT_TRUE(until([&] { return held_.size() == 8; }));
  run_for(settings_.server.silence * 3);
  judge_ = done;
  for (std::uint64_t id : held_) queue_->settle(id, {});
  EXPECT_TRUE(until([&] { return taken_.size() >= kMany; })) << taken_.size();
  EXPECT_EQ(proxy_.connections(), connections + 1);
}

INSTANTIATE_TEST_SUITE_P(qos, MqttWithoutAWindow, ::testing::Values(1, 2));

}  // namespace
}  // namespace weft::messaging::mqtt
