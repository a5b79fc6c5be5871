// Shows what is called how at RabbitMQ, and that messages come back as they went.
#include "capabilities/messaging/drivers/rabbitmq/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::messaging::rabbitmq {
namespace {

using remote::amqp::Array;
using remote::amqp::find;
using remote::amqp::Incoming;
using remote::amqp::Table;
using remote::amqp::Value;
using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAreArray;

const Names kNames{"p", "e"};

// As the server brings it.
Incoming brought(const remote::amqp::Publish& out) {
  Incoming came;
  came.how.exchange = out.exchange;
  came.how.routing_key = out.routing_key;
  came.properties = out.properties;
  came.body = out.body;
  return came;
}

Value text(std::string value) {
  return {std::move(value)};
}

TEST(RabbitMqNames, AreThoseOfGroups) {
  EXPECT_EQ(kNames.queue("orders"), "p:orders");
  EXPECT_EQ(kNames.dead_queue("a.b"), "p:a_2Eb:dead");
}

TEST(RabbitMqNames, APatternIsBoundByWhatStandsForAtLeastThat) {
  for (auto [pattern, key] : {std::pair{"a.b", "a.b"},
                              {"a.*", "a.*"},
                              {">", "*.#"},
                              {"a.>", "a.*.#"},
                              {"*.a.>", "*.a.*.#"},
                              {"a.#", "a.*"}}) {
    EXPECT_EQ(binding_key(pattern), key);
  }
}

TEST(RabbitMqWire, AMessageComesBackAsItWentWhateverIsInItsMetadata) {
  Message message{"t.u", to_bytes("data"), "text/plain", "back.to.me", {{"a", "1"}, {"a", "2"}}};
  for (const char* name : {"", " ", "%41", "\n", "\xc2\x85", "CC", "BCC", "x-death", "Weft-Topic",
                           "Weft-Metadata", "Weft-Reason", "plain"}) {
    message.metadata.emplace_back(name, name);
  }
  message.metadata.emplace_back(std::string(200, 'k'), "v");
  auto out = to_wire(kNames, message);
  ASSERT_TRUE(out.has_value()) << out.error().message();
  EXPECT_EQ(out->exchange, "e");
  EXPECT_EQ(out->routing_key, "t.u");
  EXPECT_TRUE(out->properties.persistent);
  EXPECT_EQ(find(out->properties.headers, "CC"), nullptr) << "the server would send copies";
  EXPECT_NE(find(out->properties.headers, "plain"), nullptr);
  auto back = from_wire(brought(*out));
  ASSERT_TRUE(back.has_value());
  EXPECT_THAT(back->metadata, UnorderedElementsAreArray(message.metadata));
  back->metadata = message.metadata;
  EXPECT_EQ(*back, message);
}

TEST(RabbitMqWire, IdsAreKnownAsWeftsOwn) {
  Message message{"t", to_bytes("x")};
  auto one = brought(*to_wire(kNames, message));
  auto two = brought(*to_wire(kNames, message));
  EXPECT_NE(id_of(one), "");
  EXPECT_NE(id_of(one), id_of(two));
  one.properties.app_id = "another";
  EXPECT_EQ(id_of(one), "");
}

TEST(RabbitMqWire, OthersMessagesAreReadWhereTheyAreText) {
  Incoming came;
  came.how.exchange = "e";
  came.how.routing_key = "t";
  came.properties.headers = {{"number", {std::int64_t{-5}}},
                             {"yes", {true}},
                             {"list", {Array{}}},
                             {"x-delivery-count", {std::int64_t{3}}},
                             {"text", text("t")}};
  EXPECT_EQ(deliveries_before(came), 3U);
  auto message = from_wire(came);
  ASSERT_TRUE(message.has_value());
  EXPECT_THAT(message->metadata,
              ElementsAre(Pair("number", "-5"), Pair("yes", "true"), Pair("text", "t")));
  EXPECT_EQ(message->reply_to, std::nullopt);

  Incoming wrong = came;
  wrong.properties.headers = {{"text", text("\xff")}};
  EXPECT_EQ(from_wire(wrong), std::nullopt);
  wrong = came;
  wrong.how.routing_key = "a b";
  EXPECT_EQ(from_wire(wrong), std::nullopt);
  wrong = came;
  wrong.body = Bytes(kMessageBytesMax + 1);
  EXPECT_EQ(from_wire(wrong), std::nullopt);
  wrong = came;
  wrong.too_large = true;
  EXPECT_EQ(from_wire(wrong), std::nullopt);
}

TEST(RabbitMqWire, ARequestIsAnsweredWhereTheServerWaitsAndNowhereElse) {
  Incoming came;
  came.how.exchange = "e";
  came.how.routing_key = "ask";
  came.properties.reply_to = "amq.rabbitmq.reply-to.g1h=.AA+/==";
  came.properties.correlation = "a.b/1";
  auto message = from_wire(came);
  ASSERT_TRUE(message.has_value() && message->reply_to.has_value());
  auto reply = to_wire(kNames, {*message->reply_to, to_bytes("!")});
  ASSERT_TRUE(reply.has_value()) << reply.error().message();
  EXPECT_EQ(reply->exchange, "");
  EXPECT_EQ(reply->routing_key, "amq.rabbitmq.reply-to.g1h=.AA+/==");
  EXPECT_EQ(reply->properties.correlation, "a.b/1");

  // Nobody writes into a queue by its name.
  came.properties.reply_to = "p:orders";
  EXPECT_EQ(from_wire(came)->reply_to, std::nullopt);
  for (const char* topic : {"_reply._.p:orders", "_reply.x", "_reply._X.amq.gen-1"}) {
    EXPECT_EQ(to_wire(kNames, {topic, to_bytes("!")}).error().code(), Errc::kInvalid) << topic;
    Message asks{"t", to_bytes("?"), {}, topic};
    EXPECT_EQ(to_wire(kNames, asks).error().code(), Errc::kInvalid) << topic;
  }
}

TEST(RabbitMqWire, ALetterHasItsReasonAndTopic) {
  DeadLetter letter{"g", "it is poison", {"t.u", to_bytes("data"), {}, {}, {{"k", "v"}}}};
  auto out = letter_to_wire(kNames, letter);
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(out->exchange, "");
  EXPECT_EQ(out->routing_key, "p:g:dead");
  EXPECT_TRUE(out->mandatory);
  auto back = letter_from_wire("g", brought(*out));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->reason, "it is poison");
  EXPECT_EQ(back->message, letter.message);
  // An operator who moves it back into the group's queue.
  auto again = from_wire(brought(*out));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->topic, "t.u");
}

TEST(RabbitMqWire, ALetterOfTheServersHasThatOfItsDeath) {
  Incoming came;
  came.how.routing_key = "p:g:dead";
  came.body = to_bytes("data");
  came.properties.headers = {{"x-death",
                              {Array{{Table{{"reason", text("delivery_limit")},
                                            {"routing-keys", {Array{text("t.u")}}}}}}}}};
  auto letter = letter_from_wire("g", came);
  ASSERT_TRUE(letter.has_value());
  EXPECT_EQ(letter->message.topic, "t.u");
  EXPECT_THAT(letter->reason, ::testing::HasSubstr("delivery_limit"));
}

}  // namespace
}  // namespace weft::messaging::rabbitmq
