// Shows what of RabbitMQ is its own: settings, what is known again, counted and made anew, and what
// becomes of messages when the server or the way to it fails.
#include "capabilities/messaging/drivers/rabbitmq/rabbitmq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <set>

#include "capabilities/messaging/testing.h"
#include "remote/amqp/testing.h"
#include "remote/testing/fault_proxy.h"

namespace weft::messaging::rabbitmq {
namespace {

using remote::FaultProxy;
using remote::RealServer;
using remote::amqp::Channel;
using remote::amqp::Incoming;
using remote::amqp::Method;
using std::chrono::milliseconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = Verdict::Kind;

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"rabbitmq"};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  return choice;
}

TEST(RabbitMqSettings, AreRead) {
  auto settings = read_settings(choice({{"url", "amqp://me:pass@host/shop"},
                                        {"prefix", "shop.{app}"},
                                        {"exchange", "amq.topic"},
                                        {"queue-type", "classic"},
                                        {"timeout", "2s"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->server.endpoint.port, 5672);
  EXPECT_EQ(settings->server.user, "me");
  EXPECT_EQ(settings->server.vhost, "shop");
  EXPECT_EQ(settings->prefix, "shop.{app}");
  EXPECT_EQ(settings->exchange, "amq.topic");
  EXPECT_EQ(settings->queue_type, QueueType::kClassic);
  EXPECT_EQ(settings->server.silence, std::chrono::seconds(2));
  auto plain = read_settings(choice({{"url", "amqps://h"}, {"vhost", "a/b"}}));
  EXPECT_EQ(plain->server.endpoint.port, 5671);
  EXPECT_EQ(plain->server.user, "guest");
  EXPECT_EQ(plain->server.vhost, "a/b");
  EXPECT_EQ(read_settings(choice({{"url", "amqp://h/%2f"}}))->server.vhost, "/");
}

TEST(RabbitMqSettings, SayWhatIsWrong) {
  std::string many = "{app}.{app}.{app}";
  for (auto [settings, what] :
       {std::pair{choice({}), "no url"}, std::pair{choice({{"url", "nats://x"}}), "amqp://"},
        std::pair{choice({{"url", "amqp://x"}, {"prefix", ""}}), "prefix"},
        std::pair{choice({{"url", "amqp://x"}, {"prefix", "a:b"}}), "prefix"},
        std::pair{choice({{"url", "amqp://x"}, {"prefix", many}}), "prefix"},
        std::pair{choice({{"url", "amqp://x"}, {"exchange", "a b"}}), "exchange"},
        std::pair{choice({{"url", "amqp://x"}, {"queue-type", "stream"}}), "queue-type"},
        std::pair{choice({{"url", "amqp://x"}, {"vhost", std::string(256, 'v')}}), "vhost"},
        std::pair{choice({{"url", "amqp://x"}, {"timeout", "10ms"}}), "timeout"},
        std::pair{choice({{"url", "amqp://x"}, {"ca-file", "f"}}), "amqps://"}}) {
    auto read = read_settings(settings);
    ASSERT_FALSE(read.has_value()) << what;
    EXPECT_THAT(read.error().message(), HasSubstr(what));
  }
}

// A channel beside the driver, as another program has one.
class Outside final : public remote::amqp::ChannelOwner {
 public:
  explicit Outside(std::shared_ptr<remote::amqp::Client> client) : client_(std::move(client)) {
    channel = client_->channel(*this);
  }
  ~Outside() override { channel->let_go(); }

  std::shared_ptr<Channel> channel;
  std::vector<Incoming> taken;

 private:
  void opened() override {}
  void closed(const Error&) override {}
  void came(Incoming message) override { taken.push_back(std::move(message)); }

  std::shared_ptr<remote::amqp::Client> client_;
};

// A server, a proxy before it, a broker through that, and a channel beside it.
class RabbitMq : public OneQueue {
 protected:
  RabbitMq() {
    static int tests = 0;
    patience_ = std::chrono::seconds(30);
    settings_.server.endpoint = {"127.0.0.1", server().port()};
    settings_.server.silence = milliseconds(5'000);
    settings_.prefix = "test" + std::to_string(++tests);
    client_ = std::make_shared<remote::amqp::Client>(
        loop_, std::make_shared<const remote::amqp::Settings>(settings_.server), "outside");
    settings_.server.endpoint.port = proxy_.port();
    start();
  }
  ~RabbitMq() override {
    queue_.reset();
    broker_.reset();
    outside_.reset();
  }

  static RealServer& server() { return remote::amqp::shared_server(); }
  // Anew, as after a crash.
  void start() { begin(rabbitmq_backend(settings_)); }
  void subscribe(Ordering ordering = Ordering::kNone) { subscribe_to("t", ordering); }
  Outside& outside() {
    if (!outside_) {
      loop_.post([&] {
        Loop::Turn turn(loop_);
        outside_.emplace(client_);
      });
    }
    CHECK(until([&] { return outside_ && outside_->channel->open(); }));
    return *outside_;
  }
  // Does something on that channel, and waits until it is answered.
  Result<Method> ask(const std::function<void(Channel&, Channel::Done)>& work) {
    Channel& channel = *outside().channel;
    std::optional<Result<Method>> told;
    loop_.post([&] {
      Loop::Turn turn(loop_);
      work(channel, [&](Result<Method> answer) { told = std::move(answer); });
    });
    CHECK(until([&] { return told.has_value(); }));
    return *std::move(told);
  }
  // Messages that are in a queue and wait for nobody's acknowledgement.
  std::uint32_t waiting(const std::string& queue) {
    Result<Method> there = ask([&](Channel& channel, Channel::Done done) {
      channel.get(queue, [done = std::move(done)](Result<std::optional<Incoming>> got) mutable {
        if (!got) return done(std::unexpected(got.error()));
        done(*got ? (*got)->how : Method{});
      });
    });
    if (!there || there->tag == 0) return 0;
    outside().channel->give_back(there->tag, remote::amqp::Requeue::kYes);
    return there->messages + 1;
  }
  std::string group_queue() const { return settings_.prefix + ":g"; }

  FaultProxy proxy_{server().port()};
  Settings settings_;
  std::shared_ptr<remote::amqp::Client> client_;
  std::optional<Outside> outside_;
};

TEST_F(RabbitMq, SaysWhyItCannotBeReached) {
  auto reach = [](Settings settings) {
    Loop loop;
    auto backend = rabbitmq_backend(std::move(settings));
    return reach_now(loop, *backend);
  };
  EXPECT_TRUE(reach(settings_).has_value());
  Settings wrong = settings_;
  wrong.server.password = Secret("not-the-password");
  auto reached = reach(wrong);
  ASSERT_FALSE(reached.has_value());
  EXPECT_EQ(reached.error().code(), Errc::kDenied);
  EXPECT_THAT(reached.error().message(), Not(HasSubstr("not-the-password")));
  wrong = settings_;
  wrong.server.vhost = "nowhere";
  reached = reach(wrong);
  ASSERT_FALSE(reached.has_value());
  EXPECT_EQ(reached.error().code(), Errc::kDenied);
  EXPECT_THAT(reached.error().message(), HasSubstr("nowhere"));
  proxy_.set(FaultProxy::Fault::kRefuse);
  reached = reach(settings_);
  ASSERT_FALSE(reached.has_value());
  EXPECT_EQ(reached.error().code(), Errc::kUnavailable);
}

TEST_F(RabbitMq, AWrongPasswordIsToldAtOnce) {
  settings_.server.password = Secret("not-the-password");
  start();
  EXPECT_EQ(publish("1"), "denied");
}

TEST_F(RabbitMq, AfterACrashAttemptsAreTheServersDeliveries) {
  judge_ = hold;
  subscribe();
  EXPECT_EQ(publish("1"), "ok");
  ASSERT_TRUE(until([&] { return held_.size() == 1; }));
  start();
  subscribe();
  ASSERT_TRUE(until([&] { return held_.size() == 2; }));
  start();
  judge_ = [](const Delivery&) { return Verdict(); };
  subscribe();
  ASSERT_TRUE(until([&] { return taken_.size() == 3; }));
  EXPECT_THAT(attempts_, ElementsAre(1, 2, 3));
  ASSERT_TRUE(until([&] { return waiting(group_queue()) == 0; }));
}

TEST_F(RabbitMq, AQueueThatGoesLeavesItsMessagesToTheNextWithTheirAttempts) {
  judge_ = [](const Delivery& delivery) -> std::optional<Verdict> {
    if (delivery.attempt == 1) return Verdict{Kind::kFailed, std::chrono::hours(1), "no"};
    return Verdict();
  };
  subscribe(Ordering::kTopic);
  for (const char* text : {"1", "2", "3"}) EXPECT_EQ(publish(text), "ok");
  ASSERT_TRUE(until([&] { return taken_.size() == 1; }));
  run_for(milliseconds(50));
  auto old = std::move(queue_);
  judge_ = [](const Delivery&) { return Verdict(); };
  subscribe(Ordering::kTopic);
  old->stop();
  EXPECT_TRUE(until([&] { return taken_.size() == 4 && old->idle(); }));
  EXPECT_THAT(taken_, ElementsAre("1", "1", "2", "3"));
  EXPECT_THAT(attempts_, ElementsAre(1, 2, 1, 1));
}

TEST_F(RabbitMq, WhatIsHeldWhenTheConnectionBreaksIsNotBroughtTwice) {
  judge_ = hold;
  subscribe();
  EXPECT_EQ(publish("1"), "ok");
  EXPECT_EQ(publish("2"), "ok");
  ASSERT_TRUE(until([&] { return held_.size() == 2; }));
  proxy_.set(FaultProxy::Fault::kRefuse);
  // The server has taken both back.
  ASSERT_TRUE(until([&] { return waiting(group_queue()) == 2; }));
  // Its acknowledgement cannot leave.
  queue_->settle(held_[0], {});
  proxy_.set(FaultProxy::Fault::kNone);
  judge_ = [](const Delivery&) { return Verdict(); };
  ASSERT_TRUE(until([&] { return publish("3") == "ok"; }));
  ASSERT_TRUE(until([&] { return count("3") > 0; }));
  // Nothing waits for its first bringing, nor for its second.
  ASSERT_TRUE(until([&] { return waiting(group_queue()) == 0; }));
  EXPECT_EQ(count("1"), 1);
  EXPECT_EQ(count("2"), 1);
  queue_->settle(held_[1], {});
  queue_->stop();
  ASSERT_TRUE(until([&] { return queue_->idle(); }));
  EXPECT_EQ(waiting(group_queue()), 0U);
}

TEST_F(RabbitMq, AConfirmThatIsCutOffIsAskedForAgainAndNothingIsLost) {
  subscribe();
  EXPECT_EQ(publish("first"), "ok");
  for (int i = 0; i < 5; ++i) {
    proxy_.set(FaultProxy::Fault::kCutAsked);
    EXPECT_EQ(publish(std::to_string(i)), "ok");
  }
  proxy_.set(FaultProxy::Fault::kNone);
  ASSERT_TRUE(until([&] { return std::set(taken_.begin(), taken_.end()).size() == 6; }));
}

TEST_F(RabbitMq, AQueueThatSomebodyRemovesIsMadeAnew) {
  subscribe();
  EXPECT_EQ(publish("1"), "ok");
  ASSERT_TRUE(until([&] { return taken_.size() == 1; }));
  ASSERT_TRUE(ask([&](Channel& channel, Channel::Done done) {
    channel.delete_queue(group_queue(), std::move(done));
  }));
  ASSERT_TRUE(until([&] { return publish("2") == "ok" && count("2") > 0; }));
}

TEST_F(RabbitMq, AnExchangeThatSomebodyRemovesIsMadeAnew) {
  EXPECT_EQ(publish("nobody wants it"), "ok");
  ASSERT_TRUE(ask([&](Channel& channel, Channel::Done done) {
    channel.delete_exchange(settings_.prefix, std::move(done));
  }));
  EXPECT_EQ(publish("the server closes the channel for it"), "ok");
}

TEST_F(RabbitMq, WhatIsThereWithOtherSettingsIsAnErrorThatSaysSo) {
  ASSERT_TRUE(ask([&](Channel& channel, Channel::Done done) {
    channel.declare(remote::amqp::ExchangeSpec{.name = settings_.prefix, .type = "fanout"},
                    std::move(done));
  }));
  EXPECT_EQ(publish("1"), "invalid");
}

TEST_F(RabbitMq, ALetterIsKeptThoughItsQueueWasRemoved) {
  subscribe();
  EXPECT_EQ(publish("fine"), "ok");
  ASSERT_TRUE(until([&] { return taken_.size() == 1; }));
  ASSERT_TRUE(ask([&](Channel& channel, Channel::Done done) {
    channel.delete_queue(group_queue() + ":dead", std::move(done));
  }));
  judge_ = [](const Delivery&) { return Verdict{Kind::kDead, {}, "it is poison"}; };
  EXPECT_EQ(publish("poison"), "ok");
  ASSERT_TRUE(until([&] { return dead().size() == 1; }));
  std::vector<DeadLetter> letters = dead();
  ASSERT_EQ(letters.size(), 1U) << "they stay where they are";
  EXPECT_EQ(letters[0].reason, "it is poison");
  EXPECT_EQ(letters[0].group, "g");
  EXPECT_EQ(letters[0].message.topic, "t");
}

TEST_F(RabbitMq, MoreIsAskedForWhenAllThatCameWaits) {
  // More than it is sent at first fail and wait.
  judge_ = [](const Delivery& delivery) {
    if (as_text(delivery.message.data) == "last") return Verdict();
    return Verdict{Kind::kFailed, std::chrono::hours(1), "no"};
  };
  subscribe();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(publish(std::to_string(i)), "ok");
  EXPECT_EQ(publish("last"), "ok");
  EXPECT_TRUE(until([&] { return count("last") == 1; }));
}

TEST_F(RabbitMq, IsSentMoreAheadTheMoreMayRunAtOnce) {
  judge_ = hold;
  queue_ = broker_->subscribe({"g", "t", Ordering::kNone, 20}, *this);
  constexpr std::uint32_t kMany = 120;
  for (std::uint32_t i = 0; i < kMany; ++i) EXPECT_EQ(publish(std::to_string(i)), "ok");
  ASSERT_TRUE(until([&] { return held_.size() == 20; }));
  // 20, and four times as many.
  EXPECT_EQ(waiting(group_queue()), kMany - 100);
}

TEST_F(RabbitMq, OnlyWhatIsDoneIsAcknowledgedInWhateverOrder) {
  judge_ = hold;
  queue_ = broker_->subscribe({"g", "t", Ordering::kNone, 20}, *this);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(publish(std::to_string(i)), "ok");
  ASSERT_TRUE(until([&] { return held_.size() == 20; }));
  std::set<std::string> left;
  loop_.post([&] {
    Loop::Turn turn(loop_);
    // From the back; and three are not.
    for (std::size_t i = held_.size(); i-- > 0;) {
      if (i == 3 || i == 4 || i == 11) {
        left.insert(taken_[i]);
      } else {
        queue_->settle(held_[i], {});
      }
    }
  });
  ASSERT_TRUE(until([&] { return !left.empty(); }));
  run_for(milliseconds(100));
  taken_.clear();
  judge_ = done;
  start();
  subscribe();
  ASSERT_TRUE(until([&] { return taken_.size() >= 3; }));
  EXPECT_EQ(publish("last"), "ok");
  ASSERT_TRUE(until([&] { return count("last") == 1; }));
  left.insert("last");
  EXPECT_EQ(std::set(taken_.begin(), taken_.end()), left);
  EXPECT_EQ(taken_.size(), left.size());
}

TEST_F(RabbitMq, AQueueThatStopsKeepsTheConnection) {
  settings_.server.health = std::make_shared<remote::Health>("");
  for (QueueType type : {QueueType::kQuorum, QueueType::kClassic}) {
    settings_.queue_type = type;
    settings_.prefix += "x";
    start();
    subscribe();
    EXPECT_EQ(publish("1"), "ok");
    ASSERT_TRUE(until([&] { return !taken_.empty(); }));
    taken_.clear();
    queue_->stop();
    ASSERT_TRUE(until([&] { return queue_->idle(); }));
  }
  EXPECT_EQ(settings_.server.health->read().losses, 0U);
}

TEST_F(RabbitMq, HostsShareTheMessagesOfAGroup) {
  subscribe();
  EXPECT_EQ(publish("first"), "ok");
  ASSERT_TRUE(until([&] { return count("first") == 1; }));
  // Another backend is another host.
  struct Host final : Receiver {
    Host(Loop& on, const Settings& settings) : loop(on), backend(rabbitmq_backend(settings)) {
      broker = backend->broker(loop, {"app", "b"});
      queue = broker->subscribe({"g", "t"}, *this);
    }
    void deliver(Delivery delivery) override {
      taken.emplace_back(as_text(delivery.message.data));
      loop.post([this, id = delivery.id] { queue->settle(id, {}); });
    }
    Loop& loop;
    std::unique_ptr<Backend> backend;
    std::unique_ptr<Broker> broker;
    std::unique_ptr<Queue> queue;
    std::vector<std::string> taken;
  } other(loop_, settings_);
  int number = 0;
  ASSERT_TRUE(
      until([&] { return publish(std::to_string(++number)) == "ok" && !other.taken.empty(); }));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(publish(std::to_string(++number)), "ok");
  std::size_t all = static_cast<std::size_t>(number) + 1;
  ASSERT_TRUE(until([&] { return taken_.size() + other.taken.size() == all; }));
  std::set<std::string> distinct(taken_.begin(), taken_.end());
  distinct.insert(other.taken.begin(), other.taken.end());
  EXPECT_EQ(distinct.size(), all);
  EXPECT_GT(other.taken.size(), 5U);
  EXPECT_GT(taken_.size(), 5U);
  other.queue->stop();
  EXPECT_TRUE(until([&] { return other.queue->idle(); }));
}

TEST_F(RabbitMq, OthersMessagesAreBroughtAndWhatIsNoneIsDropped) {
  std::vector<Message> messages;
  judge_ = [&](const Delivery& delivery) {
    messages.push_back(delivery.message);
    return Verdict();
  };
  subscribe();
  EXPECT_EQ(publish("first"), "ok");
  Outside& other = outside();
  loop_.post([&] {
    Loop::Turn turn(loop_);
    remote::amqp::Publish message{.exchange = settings_.prefix, .routing_key = "t"};
    message.properties.headers = {{"text", {std::string("\xff")}}};
    other.channel->publish(message);
    message.properties.headers = {{"number", {std::int64_t{7}}}};
    message.body = to_bytes("theirs");
    other.channel->publish(message);
  });
  ASSERT_TRUE(until([&] { return messages.size() == 2; }));
  EXPECT_EQ(as_text(messages[1].data), "theirs");
  EXPECT_THAT(messages[1].metadata, ElementsAre(::testing::Pair("number", "7")));
  EXPECT_TRUE(until([&] { return waiting(group_queue()) == 0; }));
}

TEST_F(RabbitMq, RequestsOfOtherProgramsAreAnswered) {
  std::vector<Answer<void>> sent;
  judge_ = [&](const Delivery& delivery) {
    if (delivery.message.reply_to) {
      sent.push_back(broker_->publish({loop_, Deadline::after(std::chrono::seconds(10))},
                                      {*delivery.message.reply_to, to_bytes("answer")}));
    }
    return Verdict();
  };
  subscribe();
  EXPECT_EQ(publish("first"), "ok");
  ASSERT_TRUE(ask([&](Channel& channel, Channel::Done done) {
    channel.consume({.queue = std::string(kReplyQueue), .consumer = "r", .no_acks = true},
                    std::move(done));
  }));
  Outside& other = outside();
  loop_.post([&] {
    Loop::Turn turn(loop_);
    remote::amqp::Publish message{.exchange = settings_.prefix, .routing_key = "t"};
    message.properties.reply_to = kReplyQueue;
    message.properties.correlation = "0c7a9e9f-1111-4222-8333-444455556666";
    other.channel->publish(message);
  });
  ASSERT_TRUE(until([&] { return other.taken.size() == 1; }));
  EXPECT_EQ(as_text(other.taken[0].body), "answer");
  EXPECT_EQ(other.taken[0].properties.correlation, "0c7a9e9f-1111-4222-8333-444455556666");
}

// Last of these: the server is killed.
TEST_F(RabbitMq, OverACrashOfTheServerEachAcknowledgedMessageIsBrought) {
  subscribe();
  std::set<std::string> acknowledged;
  for (int i = 0; i < 60; ++i) {
    if (i == 30) {
      remote::amqp::wait_until_written(server(), group_queue());
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
}  // namespace weft::messaging::rabbitmq
