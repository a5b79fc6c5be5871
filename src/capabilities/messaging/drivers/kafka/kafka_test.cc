// Shows what of Kafka is its own: settings, topics, what other programs write and read, where a
// group stands, how hosts share it, and what becomes of messages when the server or the way to it
// fails. The server is librdkafka's mock of one.
#include "capabilities/messaging/drivers/kafka/kafka.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <set>

#include "capabilities/driver_backend.h"
#include "capabilities/messaging/drivers/kafka/topics.h"
#include "capabilities/messaging/testing.h"
#include "remote/kafka/producer.h"
#include "remote/kafka/testing.h"
#include "remote/testing/real_server.h"

namespace weft::messaging::kafka {
namespace {

using remote::kafka::Mock;
using std::chrono::milliseconds;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = Verdict::Kind;

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"kafka"};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  return choice;
}

TEST(KafkaSettings, AreRead) {
  auto settings = read_settings(choice({{"url", "kafka://me:pass@one,kafka://two:9093"},
                                        {"mechanism", "SCRAM-SHA-512"},
                                        {"prefix", ""},
                                        {"group-prefix", "shop.{app}"},
                                        {"compression", "zstd"},
                                        {"session", "10s"},
                                        {"refresh", "1s"},
                                        {"timeout", "2s"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->server.servers, "one:9092,two:9093");
  EXPECT_EQ(settings->server.user, "me");
  EXPECT_EQ(settings->server.password, Secret("pass"));
  EXPECT_EQ(settings->server.mechanism, "SCRAM-SHA-512");
  EXPECT_EQ(settings->prefix, "");
  EXPECT_EQ(settings->group_prefix, "shop.{app}");
  EXPECT_EQ(settings->server.compression, "zstd");
  EXPECT_EQ(settings->server.session, std::chrono::seconds(10));
  EXPECT_EQ(settings->server.refresh, std::chrono::seconds(1));
  EXPECT_EQ(settings->server.timeout, std::chrono::seconds(2));
}

TEST(KafkaSettings, SayWhatIsWrong) {
  for (auto [settings, what] :
       {std::pair{choice({}), "no url"}, std::pair{choice({{"url", "nats://x"}}), "kafka://"},
        std::pair{choice({{"url", "kafka://x/y"}}), "path"},
        std::pair{choice({{"url", "kafka://x,kafkas://y"}}), "all kafka://"},
        std::pair{choice({{"url", "kafka://x"}, {"prefix", "a b"}}), "prefix"},
        std::pair{choice({{"url", "kafka://x"}, {"group-prefix", ""}}), "group-prefix"},
        std::pair{choice({{"url", "kafka://me@x"}, {"mechanism", "GSSAPI"}}), "SCRAM-SHA-256"},
        std::pair{choice({{"url", "kafka://x"}, {"mechanism", "PLAIN"}}), "username"},
        std::pair{choice({{"url", "kafka://x"}, {"compression", "rar"}}), "zstd"},
        std::pair{choice({{"url", "kafka://x"}, {"session", "1ms"}}), "session"},
        std::pair{choice({{"url", "kafka://x"}, {"ca-file", "f"}}), "kafkas://"},
        std::pair{choice({{"url", "kafkas://x"}, {"ca-file", "/nowhere/f"}}), "/nowhere/f"}}) {
    auto read = read_settings(settings);
    ASSERT_FALSE(read.has_value()) << what;
    EXPECT_THAT(read.error().message(), HasSubstr(what));
  }
}

TEST(KafkaTopics, AreAsTheyAreBehindAPrefix) {
  Topics topics("shop");
  EXPECT_EQ(*topics.name("orders.new"), "shop.orders.new");
  EXPECT_EQ(*topics.name("_reply.x.1"), "shop._reply");
  EXPECT_EQ(*topics.subscription("orders.new"), "shop.orders.new");
  EXPECT_EQ(*topics.subscription("orders.*.eu"), "^shop\\.orders\\.[^.]+\\.eu$");
  EXPECT_EQ(*topics.subscription(">"), "^shop\\..+$");
  EXPECT_EQ(topics.topic("shop.orders.new"), "orders.new");
  EXPECT_EQ(topics.topic("shopping.orders"), std::nullopt);
  EXPECT_EQ(topics.topic("shop._reply"), std::nullopt);
  EXPECT_EQ(topics.topic(topics.dead("g")), std::nullopt);
  EXPECT_EQ(topics.name("a/b").error().code(), Errc::kInvalid);
  EXPECT_EQ(topics.name(std::string(246, 'x')).error().code(), Errc::kInvalid);
  EXPECT_EQ(topics.name("_dead.g").error().code(), Errc::kDenied);
  EXPECT_EQ(Topics("").name("__consumer_offsets").error().code(), Errc::kDenied);
  EXPECT_EQ(*Topics("").name("orders"), "orders");
}

// What one host has.
class Host : private Receiver {
 public:
  Host(Loop& loop, const Settings& settings)
      : loop_(loop),
        backend_(kafka_backend(settings)),
        broker_(backend_->broker(loop, {"app", "b"})) {}
  ~Host() override {
    *self_ = nullptr;
    queue.reset();
  }

  void subscribe(std::string pattern = "t", Ordering ordering = Ordering::kNone) {
    queue = broker_->subscribe({"g", std::move(pattern), ordering}, *this);
  }
  Broker& broker() { return *broker_; }

  bool hold = false;
  std::vector<Message> taken;
  std::vector<unsigned> attempts;
  std::vector<std::uint64_t> held;
  std::unique_ptr<Queue> queue;

  std::vector<std::string> texts() const {
    std::vector<std::string> texts;
    for (const Message& each : taken) texts.emplace_back(as_text(each.data));
    return texts;
  }

 private:
  void deliver(Delivery delivery) override {
    taken.push_back(delivery.message);
    attempts.push_back(delivery.attempt);
    if (hold) return held.push_back(delivery.id);
    loop_.post([self = self_, id = delivery.id] {
      if (*self != nullptr && (*self)->queue != nullptr) (*self)->queue->settle(id, {});
    });
  }

  const std::shared_ptr<Host*> self_ = std::make_shared<Host*>(this);  // Null once it is gone.
  Loop& loop_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Broker> broker_;
};

class KafkaMessaging : public OnLoop {
 protected:
  KafkaMessaging() {
    static int tests = 0;
    patience_ = std::chrono::seconds(30);
    settings_.server.servers = mock().servers();
    settings_.server.session = milliseconds(3'500);
    settings_.server.health = std::make_shared<remote::Health>("mock");
    settings_.prefix = settings_.group_prefix = "test" + std::to_string(++tests);
    start();
  }
  void start() { host_.reset(), host_ = std::make_unique<Host>(loop_, settings_); }
  static Mock& mock() {
    static Mock mock;
    return mock;
  }
  // "ok", or the failure's code.
  std::string publish(std::string text, milliseconds time = milliseconds(20'000),
                      std::vector<std::pair<std::string, std::string>> metadata = {}) {
    return publish_to(host_->broker(), {"t", to_bytes(text), {}, {}, std::move(metadata)}, time);
  }
  // One message of that text among the dead letters of the group.
  void bury(std::string text) {
    host_->hold = true;
    std::size_t before = host_->held.size();
    ASSERT_EQ(publish(std::move(text)), "ok");
    ASSERT_TRUE(until([&] { return host_->held.size() == before + 1; }));
    host_->queue->settle(host_->held.back(), {Kind::kDead, {}, "no"});
  }
  std::vector<DeadLetter> dead() {
    auto letters = asked<std::vector<DeadLetter>>([&] {
      return host_->broker().dead({loop_, Deadline::after(std::chrono::seconds(20))}, 1'000);
    });
    EXPECT_TRUE(letters && *letters) << "no dead letters";
    if (!letters || !*letters) return {};
    return **std::move(letters);
  }
  std::vector<std::string> dead_texts() {
    std::vector<std::string> texts;
    for (const DeadLetter& each : dead()) texts.emplace_back(as_text(each.message.data));
    return texts;
  }
  // "ok", or the failure's code.
  std::string replay(std::uint64_t number) {
    auto told = asked<void>([&] {
      return host_->broker().replay({loop_, Deadline::after(std::chrono::seconds(20))}, "g",
                                    number);
    });
    if (!told) return "nothing";
    return *told ? "ok" : std::string(to_string(told->error().code()));
  }
  // Until what was settled is written: the queue stopped well.
  void finish() {
    host_->queue->stop();
    EXPECT_TRUE(until([&] { return host_->queue->idle(); }));
  }

  Settings settings_;
  std::unique_ptr<Host> host_;
};

TEST_F(KafkaMessaging, WhatOthersWriteIsAMessage) {
  host_->subscribe();
  auto producer = std::make_shared<remote::kafka::Producer>(
      loop_, std::make_shared<remote::kafka::Settings>(settings_.server),
      std::make_shared<remote::kafka::Endings>());
  ASSERT_EQ(publish("first"), "ok");
  bool sent = false;
  producer->send({.topic = settings_.prefix + ".t",
                  .key = "k",
                  .headers = {{"a", "1"}, {"bytes", "\xff"}, {"content-type", "text/plain"}},
                  .data = to_bytes("theirs")},
                 Deadline::after(milliseconds(20'000)),
                 [&](Result<void> result) { sent = result.has_value(); });
  ASSERT_TRUE(until([&] { return sent && host_->taken.size() == 2; }));
  auto found = std::ranges::find(host_->taken, to_bytes("theirs"), &Message::data);
  ASSERT_NE(found, host_->taken.end());
  EXPECT_EQ(found->content_type, "text/plain");
  EXPECT_THAT(found->metadata, ElementsAre(std::pair("key", "k"), std::pair("a", "1")));
}

TEST_F(KafkaMessaging, MetadataComeBackAsTheyWentWhateverIsInThem) {
  host_->subscribe();
  std::vector<std::pair<std::string, std::string>> metadata;
  for (const char* text :
       {"key", "", " ", "%41", "\n", "weft-topic", "Weft-Metadata", "content-type"}) {
    metadata.emplace_back(text, text);
  }
  ASSERT_EQ(publish("1", milliseconds(20'000), metadata), "ok");
  ASSERT_TRUE(until([&] { return host_->taken.size() == 1; }));
  EXPECT_EQ(host_->taken[0].metadata, metadata);
  EXPECT_EQ(host_->taken[0].content_type, std::nullopt);
}

TEST_F(KafkaMessaging, WhatIsNotDoneComesAgainAndOnlyThat) {
  host_->hold = true;
  host_->subscribe();
  // One key, one partition: the second is done before the first.
  for (const char* text : {"1", "2", "3", "4"}) {
    ASSERT_EQ(publish(text, milliseconds(20'000), {{"key", "k"}}), "ok");
  }
  ASSERT_TRUE(until([&] { return host_->held.size() == 4; }));
  host_->queue->settle(host_->held[1], {});
  host_->queue->settle(host_->held[2], {Kind::kFailed, std::chrono::hours(1), "no"});
  start();
  host_->subscribe();
  ASSERT_TRUE(until([&] { return host_->taken.size() == 3; }));
  EXPECT_THAT(host_->texts(), ElementsAre("1", "3", "4"));
  // How often it failed is known over the crash.
  EXPECT_THAT(host_->attempts, ElementsAre(1U, 2U, 1U));
}

TEST_F(KafkaMessaging, AServersErrorsAreTriedAgain) {
  host_->subscribe();
  ASSERT_EQ(publish("0", milliseconds(20'000), {{"key", "k"}}), "ok");
  ASSERT_TRUE(until([&] { return host_->taken.size() == 1; }));
  mock().tell("fail 0 6 2");   // Produce: another is the leader.
  mock().tell("fail 8 14 2");  // OffsetCommit: the group is being loaded.
  mock().tell("fail 1 6 2");   // Fetch: another is the leader.
  ASSERT_EQ(publish("1", milliseconds(20'000), {{"key", "k"}}), "ok");
  ASSERT_EQ(publish("2", milliseconds(20'000), {{"key", "k"}}), "ok");
  ASSERT_TRUE(until([&] { return host_->taken.size() == 3; }));
  EXPECT_THAT(host_->texts(), ElementsAre("0", "1", "2"));
  finish();
  start();
  host_->subscribe();
  ASSERT_EQ(publish("3", milliseconds(20'000), {{"key", "k"}}), "ok");
  ASSERT_TRUE(until([&] { return !host_->taken.empty(); }));
  EXPECT_THAT(host_->texts(), ElementsAre("3"));
}

TEST_F(KafkaMessaging, TwoHostsShareAGroupAndGoOnWhenOneGoes) {
  host_->subscribe();
  std::set<std::string> published;
  auto publish_some = [&] {
    for (int i = 0; i < 16; ++i) {
      std::string text = std::to_string(published.size());
      if (publish(text, milliseconds(20'000), {{"key", text}}) == "ok") published.insert(text);
    }
  };
  publish_some();
  ASSERT_TRUE(until([&] { return host_->taken.size() >= published.size(); }));
  auto other = std::make_unique<Host>(loop_, settings_);
  other->subscribe();
  ASSERT_TRUE(until([&] {
    publish_some();
    return !other->taken.empty();
  }));
  auto handled = [&] {
    std::set<std::string> all;
    for (const std::string& each : host_->texts()) all.insert(each);
    if (other) {
      for (const std::string& each : other->texts()) all.insert(each);
    }
    return all;
  };
  EXPECT_TRUE(until([&] { return handled() == published; }));
  // What the other one held and did not finish comes here.
  std::set<std::string> before = handled();
  other.reset();
  publish_some();
  EXPECT_TRUE(until([&] {
    std::set<std::string> all = handled();
    all.insert(before.begin(), before.end());
    return all == published;
  }));
}

TEST_F(KafkaMessaging, AServerThatGoesIsAnErrorInTimeAndItGoesOnAfterwards) {
  host_->subscribe();
  EXPECT_EQ(publish("before"), "ok");
  ASSERT_TRUE(until([&] { return !host_->taken.empty(); }));
  mock().down();
  auto began = Deadline::Clock::now();
  std::string lost = publish("lost", milliseconds(500));
  EXPECT_TRUE(lost == "unavailable" || lost == "timeout") << lost;
  EXPECT_LT(Deadline::Clock::now() - began, std::chrono::seconds(5));
  mock().up();
  ASSERT_TRUE(until([&] {
    return publish("after", milliseconds(2'000)) == "ok" &&
           std::ranges::count(host_->texts(), "after") > 0;
  }));
  // What its group's client had to say of the break may come later than the message.
  EXPECT_TRUE(until([&] { return settings_.server.health->read().up; }));
}

TEST_F(KafkaMessaging, ATopicThatComesLaterIsListenedToFromItsBeginning) {
  settings_.server.refresh = milliseconds(200);
  start();
  host_->subscribe("*");
  ASSERT_EQ(publish("1"), "ok");
  ASSERT_TRUE(until([&] { return host_->taken.size() == 1; }));
  EXPECT_THAT(host_->texts(), ElementsAre("1"));
}

TEST_F(KafkaMessaging, ALetterThatIsDoneIsNoneForOtherHostsEither) {
  host_->subscribe();
  bury("1");
  bury("2");
  bury("3");
  ASSERT_THAT(dead_texts(), ElementsAre("1", "2", "3"));
  std::vector<DeadLetter> letters = dead();
  host_->hold = false;
  ASSERT_EQ(replay(letters[1].number), "ok");
  ASSERT_TRUE(until([&] { return host_->taken.size() == 4; }));
  EXPECT_EQ(host_->texts().back(), "2");
  // When the queue has stopped, that it is done is written.
  finish();
  start();
  EXPECT_THAT(dead_texts(), ElementsAre("1", "3"));
  host_->subscribe();
  EXPECT_EQ(replay(letters[1].number), "not-found");
  // Of what is no letter: the mark that one is done.
  EXPECT_EQ(replay(letters[2].number + 1), "not-found");
  EXPECT_EQ(replay(letters[2].number), "ok");
}

TEST_F(KafkaMessaging, ALetterWhoseEndIsNotWrittenStaysOneAndMayComeAgain) {
  host_->subscribe();
  bury("1");
  std::vector<DeadLetter> letters = dead();
  ASSERT_EQ(letters.size(), 1U);
  ASSERT_EQ(replay(letters[0].number), "ok");
  ASSERT_TRUE(until([&] { return host_->held.size() == 2; }));
  mock().tell("fail 0 10 1");  // Produce: too large.
  host_->queue->settle(host_->held.back(), {});
  EXPECT_THAT(dead_texts(), ElementsAre("1"));
  ASSERT_EQ(replay(letters[0].number), "ok");
  ASSERT_TRUE(until([&] { return host_->held.size() == 3; }));
  host_->queue->settle(host_->held.back(), {});
  EXPECT_THAT(dead_texts(), ElementsAre());
}

// While others are done and marked, one that is not is told of all the same.
TEST_F(KafkaMessaging, ManyThatAreDoneHideNoneThatIsNot) {
  constexpr std::size_t kMany = 600;
  host_->subscribe();
  bury("stays");
  ASSERT_EQ(dead().size(), 1U);
  auto producer = std::make_shared<remote::kafka::Producer>(
      loop_, std::make_shared<remote::kafka::Settings>(settings_.server),
      std::make_shared<remote::kafka::Endings>());
  Topics topics(settings_.prefix);
  std::size_t kept = 0;
  auto keep = [&](remote::kafka::Record record) {
    producer->send(std::move(record), Deadline::after(patience_),
                   [&](Result<void> result) { kept += result ? 1 : 0; });
  };
  for (std::size_t i = 1; i <= kMany; ++i) {
    keep(*letter_to_wire(topics, {"g", "no", {"t", to_bytes("done")}, 1}));
  }
  // The first letter has the number 1.
  for (std::size_t i = 1; i <= kMany; ++i) keep(mark_to_wire(topics, "g", 1 + i));
  ASSERT_TRUE(until([&] { return kept == 2 * kMany; }));
  std::vector<DeadLetter> letters = dead();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(as_text(letters[0].message.data), "stays");
  EXPECT_EQ(replay(letters[0].number), "ok");
  EXPECT_TRUE(until([&] { return host_->taken.size() == 2; }));
}

TEST_F(KafkaMessaging, AWatchShowsWhatComesAndNotWhatWasThere) {
  settings_.server.refresh = milliseconds(200);
  start();
  ASSERT_EQ(publish("before"), "ok");
  std::vector<std::string> seen;
  std::unique_ptr<Watch> watch;
  auto begun = host_->broker().watch(">", [&](Message message) {
    seen.emplace_back(as_text(message.data));
    // It may be dropped by who is shown something.
    if (seen.back() == "last") watch.reset();
  });
  ASSERT_TRUE(begun.has_value()) << begun.error().message();
  watch = *std::move(begun);
  ASSERT_TRUE(until([&] { return publish("probe") == "ok" && !seen.empty(); }));
  EXPECT_EQ(std::ranges::count(seen, "before"), 0);
  // A topic that comes later is shown from its beginning.
  ASSERT_EQ(publish_to(host_->broker(), {"later", to_bytes("first of it")}, patience_), "ok");
  EXPECT_TRUE(until([&] { return std::ranges::count(seen, "first of it") == 1; }));
  mock().down();
  mock().up();
  EXPECT_TRUE(until([&] {
    return publish("after", milliseconds(2'000)) == "ok" && std::ranges::count(seen, "after") > 0;
  }));
  EXPECT_TRUE(until([&] {
    return watch == nullptr || (publish("last", milliseconds(2'000)) == "ok" && watch == nullptr);
  }));
  std::size_t shown = seen.size();
  EXPECT_EQ(publish("unseen"), "ok");
  run_for(milliseconds(300));
  EXPECT_EQ(seen.size(), shown);
  EXPECT_FALSE(host_->broker().watch("a..b", [](Message) {}));
  EXPECT_FALSE(host_->broker().watch("_dead.g", [](Message) {}));
}

TEST(KafkaReach, SaysWhatIsWrong) {
  Loop loop;
  Mock mock;
  Settings settings;
  settings.server.servers = mock.servers();
  auto backend = kafka_backend(settings);
  auto reached = reach_now(loop, *backend);
  EXPECT_TRUE(reached.has_value()) << reached.error().message();
  backend.reset();
  settings.server.servers = "127.0.0.1:" + std::to_string(remote::free_port());
  backend = kafka_backend(settings);
  reached = reach_now(loop, *backend);
  ASSERT_FALSE(reached.has_value());
  EXPECT_EQ(reached.error().code(), Errc::kUnavailable);
  EXPECT_THAT(reached.error().message(), HasSubstr(settings.server.servers));
}

}  // namespace
}  // namespace weft::messaging::kafka
