// Shows that frames, methods and messages are read as AMQP 0-9-1 writes them, in what is right and
// in what is not.
#include "remote/amqp/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "remote/amqp/method.h"

namespace weft::remote::amqp {
namespace {

template <std::size_t N>
Bytes raw(const char (&text)[N]) {
  return to_bytes(std::string_view(text, N - 1));
}

// All frames of what was written.
std::vector<Frame> frames_of(const Buffer& out) {
  std::vector<Frame> frames;
  BytesView rest = out.view();
  while (!rest.empty()) {
    auto length = frame_length(rest);
    if (!length || !*length || **length > rest.size()) return {};
    auto frame = read_frame(rest.first(**length));
    if (!frame) return {};
    frames.push_back(*frame);
    rest = rest.subspan(**length);
  }
  return frames;
}

TEST(AmqpFrame, AMessageIsAMethodAHeadAndABodyInPieces) {
  Publish message{.exchange = "e", .routing_key = "a.b", .body = Bytes(10'000, 'x')};
  message.properties.content_type = "text/plain";
  message.properties.persistent = true;
  message.properties.correlation = "7";
  message.properties.message_id = "id";
  message.properties.app_id = "weft";
  message.properties.headers = {{"text", {std::string("t")}},
                                {"number", {std::int64_t{-3}}},
                                {"yes", {true}},
                                {"list", {Array{{std::string("a")}, {std::string("b")}}}},
                                {"table", {Table{{"within", {std::string("deep")}}}}}};
  Buffer out;
  write_publish(out, 3, kFrameBytesMin, message);
  std::vector<Frame> frames = frames_of(out);
  ASSERT_EQ(frames.size(), 5U);
  EXPECT_EQ(frames[0].kind, Frame::Kind::kMethod);
  EXPECT_EQ(frames[1].kind, Frame::Kind::kHeader);
  std::size_t body = 0;
  for (std::size_t i = 2; i < 5; ++i) {
    EXPECT_EQ(frames[i].kind, Frame::Kind::kBody);
    EXPECT_EQ(frames[i].channel, 3);
    EXPECT_LE(frames[i].payload.size() + kFrameAround, kFrameBytesMin);
    body += frames[i].payload.size();
  }
  EXPECT_EQ(body, message.body.size());
  EXPECT_EQ(header_size(message.properties), frames[1].payload.size() + kFrameAround);
  auto header = read_content_header(frames[1].payload);
  ASSERT_TRUE(header.has_value()) << header.error().message();
  EXPECT_EQ(header->body_bytes, message.body.size());
  const Properties& properties = header->properties;
  EXPECT_EQ(properties.content_type, "text/plain");
  EXPECT_EQ(properties.correlation, "7");
  EXPECT_EQ(properties.message_id, "id");
  EXPECT_EQ(properties.app_id, "weft");
  EXPECT_EQ(properties.reply_to, std::nullopt);
  EXPECT_TRUE(properties.persistent);
  EXPECT_EQ(std::get<std::int64_t>(find(properties.headers, "number")->is), -3);
  EXPECT_TRUE(std::get<bool>(find(properties.headers, "yes")->is));
  EXPECT_EQ(std::get<Array>(find(properties.headers, "list")->is).size(), 2U);
  const auto& table = std::get<Table>(find(properties.headers, "table")->is);
  EXPECT_EQ(std::get<std::string>(find(table, "within")->is), "deep");
}

TEST(AmqpFrame, PropertiesThatAreOfNoUseAreSkipped) {
  // Content type and encoding, mode, priority, expiration, timestamp, type and user.
  auto header =
      read_content_header(raw("\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\xd9\x70"
                              "\x01t\x01"
                              "e\x02\x05\x01x"
                              "\x00\x00\x00\x00\x00\x00\x00\x01"
                              "\x01y\x01u"));
  ASSERT_TRUE(header.has_value()) << header.error().message();
  EXPECT_EQ(header->body_bytes, 5U);
  EXPECT_EQ(header->properties.content_type, "t");
  EXPECT_TRUE(header->properties.persistent);
}

TEST(AmqpFrame, WhatAServerSaysIsRead) {
  auto tune = read_method(raw("\x00\x0a\x00\x1e\x07\xff\x00\x02\x00\x00\x00\x3c"));
  ASSERT_TRUE(tune.has_value());
  EXPECT_EQ(tune->id, Id::kTune);
  EXPECT_EQ(tune->channel_max, 2'047);
  EXPECT_EQ(tune->frame_max, 131'072U);
  EXPECT_EQ(tune->heartbeat, 60);
  auto close =
      read_method(raw("\x00\x14\x00\x28\x01\x94\x03"
                      "why\x00\x32\x00\x0a"));
  ASSERT_TRUE(close.has_value());
  EXPECT_EQ(close->id, Id::kChannelClose);
  EXPECT_EQ(close->code, 404);
  EXPECT_EQ(close->text, "why");
  auto deliver =
      read_method(raw("\x00\x3c\x00\x3c\x01"
                      "c\x00\x00\x00\x00\x00\x00\x01\x02\x01\x01"
                      "e\x01k"));
  ASSERT_TRUE(deliver.has_value());
  EXPECT_EQ(deliver->tag, 258U);
  EXPECT_TRUE(deliver->redelivered);
  EXPECT_EQ(deliver->consumer, "c");
  EXPECT_EQ(deliver->routing_key, "k");
  auto ack = read_method(raw("\x00\x3c\x00\x50\x00\x00\x00\x00\x00\x00\x00\x09\x01"));
  ASSERT_TRUE(ack.has_value());
  EXPECT_EQ(ack->tag, 9U);
  EXPECT_TRUE(ack->multiple);
}

TEST(AmqpFrame, MoreThanTheBoundsIsRefused) {
  EXPECT_EQ(*frame_length(raw("\x01\x00")), std::nullopt);
  EXPECT_FALSE(frame_length(raw("\x01\x00\x00\x00\x02\x00\x00")).has_value()) << "too large";
  EXPECT_FALSE(frame_length(raw("\x04")).has_value());
  EXPECT_EQ(frame_length(raw("AMQP\0\0\0\0")).error().code(), Errc::kUnsupported);
  // Tables within tables, and more fields than anybody needs.
  Table deep{{"x", {true}}};
  for (unsigned i = 0; i < kDepthMax + 1; ++i) deep = Table{{"x", {deep}}};
  Table wide(kFieldsMax + 1, Field{"x", {true}});
  for (const Table& table : {deep, wide}) {
    Buffer out;
    put_table(out, table);
    In in(out.view());
    in.table();
    EXPECT_TRUE(in.failed());
  }
}

TEST(AmqpFrame, WhatIsCutOffOrNobodysIsRefused) {
  EXPECT_FALSE(read_frame(raw("\x08\x00\x00\x00\x00\x00\x00\xcd")).has_value());
  EXPECT_TRUE(read_frame(raw("\x08\x00\x00\x00\x00\x00\x00\xce")).has_value());
  for (const Bytes& wrong : {raw(""), raw("\x00\x0a"), raw("\x00\x0a\x00\x0b"),
                             raw("\x00\x0a\x00\x1e\x00"), raw("\x00\x14\x00\x29\x00"),
                             raw("\x00\x3c\x00\x50\x00"), raw("\x00\x14\x00\x28\x01\x94\x09why")}) {
    EXPECT_FALSE(read_method(wrong).has_value()) << as_text(wrong);
  }
  for (const Bytes& wrong :
       {raw("\x00\x3c"), raw("\x00\x3d\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00"),
        raw("\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x01"),
        raw("\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x00\x04\x01kS")}) {
    EXPECT_FALSE(read_content_header(wrong).has_value()) << as_text(wrong);
  }
}

}  // namespace
}  // namespace weft::remote::amqp
