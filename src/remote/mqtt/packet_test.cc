// Shows that packets are read as MQTT 5 writes them, in what is right and in what is not.
#include "remote/mqtt/packet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::remote::mqtt {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

template <std::size_t N>
Bytes raw(const char (&text)[N]) {
  return to_bytes(std::string_view(text, N - 1));
}

TEST(MqttPacket, AMessageIsReadAsItWasWritten) {
  Publish message{.topic = "a/b", .payload = to_bytes("data"), .qos = 1, .id = 258};
  message.properties.content_type = "text/plain";
  message.properties.response_topic = "r";
  message.properties.user = {{"k", "1"}, {"k", "2"}};
  Buffer out;
  write(out, message);
  EXPECT_EQ(out.view().size(), size_of(message));
  auto length = packet_length(out.view());
  ASSERT_TRUE(length.has_value() && *length == out.view().size());
  auto packet = read_packet(out.view());
  ASSERT_TRUE(packet.has_value()) << packet.error().message();
  EXPECT_EQ(packet->kind, Kind::kPublish);
  EXPECT_EQ(packet->publish.topic, "a/b");
  EXPECT_EQ(as_text(packet->publish.payload), "data");
  EXPECT_EQ(packet->publish.id, 258);
  EXPECT_FALSE(packet->publish.again);
  EXPECT_FALSE(packet->publish.retain);
  EXPECT_EQ(packet->publish.properties.content_type, "text/plain");
  EXPECT_EQ(packet->publish.properties.response_topic, "r");
  EXPECT_THAT(packet->publish.properties.user, ElementsAre(Pair("k", "1"), Pair("k", "2")));
}

TEST(MqttPacket, WhatIsToBeKeptIsReadAsSuch) {
  for (std::uint8_t qos : {0, 1, 2}) {
    Publish message{.topic = "t", .qos = qos, .id = 1, .retain = true};
    Buffer out;
    write(out, message);
    auto packet = read_packet(out.view());
    ASSERT_TRUE(packet.has_value());
    EXPECT_TRUE(packet->publish.retain);
    EXPECT_EQ(packet->publish.qos, qos);
  }
}

TEST(MqttPacket, LengthsHaveUpToFourBytes) {
  for (std::size_t size : {0UL, 120UL, 200UL, 20'000UL, 3'000'000UL}) {
    Publish message{.topic = "t", .payload = Bytes(size)};
    Buffer out;
    write(out, message);
    auto length = packet_length(out.view());
    ASSERT_TRUE(length.has_value() && length->has_value());
    EXPECT_EQ(**length, out.view().size());
    EXPECT_TRUE(read_packet(out.view()).has_value());
  }
  EXPECT_EQ(*packet_length(raw("\x30")), std::nullopt);
  EXPECT_EQ(*packet_length(raw("\x30\xff")), std::nullopt);
  EXPECT_FALSE(packet_length(raw("\x30\xff\xff\xff\xff")).has_value());
  EXPECT_FALSE(packet_length(raw("\x30\xff\xff\xff\x7f")).has_value()) << "too large";
}

TEST(MqttPacket, TheServerIsToldHowMuchAPacketMayHave) {
  Buffer out;
  write(out, Connect{.client_id = "c"});
  EXPECT_EQ(packet_length(out.view())->value(), out.view().size());
  EXPECT_NE(as_text(out.view()).find(std::string("\x27\x01\x00\x00\x00", 5)), std::string::npos);
}

TEST(MqttPacket, UserPropertiesBeyondTheBoundAreLeftOut) {
  Publish message{.topic = "t", .payload = to_bytes("data")};
  message.properties.user.resize(kUserPropertiesMax + 5, {"k", "v"});
  Buffer out;
  write(out, message);
  auto packet = read_packet(out.view());
  ASSERT_TRUE(packet.has_value()) << packet.error().message();
  EXPECT_EQ(packet->publish.properties.user.size(), kUserPropertiesMax);
  EXPECT_EQ(as_text(packet->publish.payload), "data");
}

TEST(MqttPacket, AGreetingSaysWhatTheServerBears) {
  auto packet = read_packet(raw("\x20\x0b\x01\x00\x08\x21\x00\x14\x27\x00\x00\x10\x00"));
  ASSERT_TRUE(packet.has_value()) << packet.error().message();
  EXPECT_TRUE(packet->session);
  EXPECT_EQ(packet->code(), 0);
  EXPECT_EQ(packet->properties.receive_maximum, 20);
  EXPECT_EQ(packet->properties.packet_maximum, 4096U);
}

TEST(MqttPacket, AnswersMayLeaveOutWhatIsWell) {
  auto packet = read_packet(raw("\x40\x02\x01\x02"));
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->id, 258);
  EXPECT_EQ(packet->code(), 0);
  packet = read_packet(raw("\x40\x03\x01\x02\x97"));
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->code(), 0x97);
}

TEST(MqttPacket, WhatIsCutOffOrNobodysIsRefused) {
  for (const Bytes& wrong :
       {raw("\x40\x01\x01"), raw("\x30\x02\x00\x05"), raw("\x36\x05\x00\x01t\x00\x01"),
        raw("\x32\x06\x00\x01t\x00\x00\x00"), raw("\x10\x00"), raw("\x20\x03\x00\x00\x05"),
        raw("\x20\x04\x00\x00\x01\x7e"), raw("\xd0\x01x"), raw("\xd0")}) {
    EXPECT_FALSE(read_packet(wrong).has_value()) << as_text(wrong);
  }
}

}  // namespace
}  // namespace weft::remote::mqtt
