// Shows what of a message others see on a NATS server, and what of theirs is a message here.
#include "capabilities/messaging/drivers/nats/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::messaging::nats {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

const Subjects kSubjects("weft.shop._");

remote::nats::Message sent(const remote::nats::Outgoing& out, std::string reply = "") {
  return {out.subject, std::move(reply), {.fields = out.headers}, out.payload};
}

TEST(NatsNames, AreTokensOfSubjects) {
  EXPECT_EQ(token("orders-2"), "orders-2");
  EXPECT_EQ(token(""), "_");
  EXPECT_EQ(token("a.b *"), "a_2Eb_20_2A");
  std::string one = token(std::string(250, 'x'));
  EXPECT_LE(one.size(), kTokenBytesMax);
  EXPECT_NE(one, token(std::string(249, 'x')));
  EXPECT_EQ(fill_in("weft.{app}.{broker}", {"shop", ""}), "weft.shop._");
  EXPECT_EQ(fill_in("{app}{app}", {"{broker}", "b"}), "_7Bbroker_7D_7Bbroker_7D");
}

TEST(NatsNames, APrefixIsCheckedBeforeItIsUsed) {
  EXPECT_TRUE(check_subject_pattern("a.{app}").has_value());
  for (const char* wrong : {"a..b", ".a", "a.", "a b", "a.>", "*", "$SYS", "{other}"}) {
    EXPECT_FALSE(check_subject_pattern(wrong).has_value()) << wrong;
  }
}

TEST(NatsNames, TopicsStandBehindThePrefixAndInboxesForThemselves) {
  EXPECT_EQ(*kSubjects.subject("orders.new"), "weft.shop._.orders.new");
  EXPECT_EQ(*kSubjects.subject("_INBOX.a.1"), "_INBOX.a.1");
  EXPECT_EQ(kSubjects.topic("weft.shop._.orders"), "orders");
  EXPECT_EQ(kSubjects.topic("weft.other._.orders"), std::nullopt);
  EXPECT_EQ(kSubjects.topic("weft.shop._"), std::nullopt);
  EXPECT_EQ(kSubjects.topic("weft.shop._.\xff"), std::nullopt);
}

TEST(NatsNames, WithoutPrefixTheServersOwnSubjectsAreRefused) {
  Subjects plain("");
  EXPECT_EQ(*plain.subject("orders"), "orders");
  ASSERT_FALSE(plain.subject("$JS.API.STREAM.DELETE.x").has_value());
  EXPECT_EQ(plain.subject("$SYS.x").error().code(), Errc::kDenied);
}

TEST(NatsWire, MetadataAreHeadersWhereTheyCanBe) {
  Message message{"t", to_bytes("data"), "text/plain", {}, {{"trace", "1"}, {"a b", "x\r\ny: z"}}};
  auto out = to_wire(kSubjects, message);
  ASSERT_TRUE(out.has_value());
  EXPECT_THAT(out->headers, ElementsAre(Pair("Content-Type", "text/plain"), Pair("trace", "1"),
                                        Pair("Weft-Metadata", "a%20b=x%0D%0Ay:%20z")));
  EXPECT_EQ(from_wire(kSubjects, sent(*out)), message);
}

TEST(NatsWire, AMessageComesBackAsItWentWhateverIsInItsMetadata) {
  Message message{"t", {}, {}, {}, {}};
  for (const char* text :
       {"", " ", "=", "%41", "Nats-Msg-Id", "Weft-X", "Content-Type", "\n", "é"}) {
    message.metadata.emplace_back(text, text);
  }
  auto out = to_wire(kSubjects, message);
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(from_wire(kSubjects, sent(*out)), message);
}

TEST(NatsWire, NothingOfAMessageGetsIntoTheProtocol) {
  Message message{"t", {}, "text/plain\r\nX: y"};
  EXPECT_EQ(to_wire(kSubjects, message).error().code(), Errc::kInvalid);
  message.reply_to = "a\r\nPUB b 0";
  EXPECT_EQ(reply_subject(kSubjects, message).error().code(), Errc::kInvalid);
}

TEST(NatsWire, WhatOthersSendIsAMessageOnlyWhereItsTextIsText) {
  EXPECT_TRUE(from_wire(kSubjects, {"weft.shop._.t", "", {}, {}}).has_value());
  EXPECT_FALSE(from_wire(kSubjects, {"weft.shop._.\xff", "", {}, {}}).has_value());
  EXPECT_FALSE(
      from_wire(kSubjects, {"weft.shop._.t", "", {.fields = {{"a", "\xff"}}}, {}}).has_value());
  EXPECT_FALSE(from_wire(kSubjects, {"weft.shop._.t", "", {}, Bytes(kMessageBytesMax + 1)}));
  // The server's own headers are not shown.
  auto read =
      from_wire(kSubjects, {"weft.shop._.t", "_INBOX.x", {.fields = {{"Nats-Msg-Id", "1"}}}, {}});
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(read->metadata.empty());
  EXPECT_EQ(read->reply_to, "_INBOX.x");
}

}  // namespace
}  // namespace weft::messaging::nats
