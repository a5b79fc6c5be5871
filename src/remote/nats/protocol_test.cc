// Shows that a server's operations are read as NATS writes them, in pieces of any size, and that
// nonsense and what is out of bounds is refused.
#include "remote/nats/protocol.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace weft::remote::nats {
namespace {

using Kind = ServerOp::Kind;

// Feeds in pieces of `step` bytes; all of it has to be one operation.
Result<ServerOp> read(std::string_view text, std::size_t step) {
  OpParser parser;
  for (std::size_t at = 0; at < text.size();) {
    auto used = parser.feed(as_bytes(text.substr(at, step)));
    if (!used) return std::unexpected(used.error());
    at += *used;
    if (parser.done() && at < text.size()) return failure(Errc::kConflict, "more than one");
  }
  if (!parser.done()) return failure(Errc::kNotFound, "not complete");
  return parser.take();
}

std::string show(const ServerOp& op) {
  switch (op.kind) {
    case Kind::kInfo: return "info " + op.text;
    case Kind::kPing: return "ping";
    case Kind::kPong: return "pong";
    case Kind::kOk: return "ok";
    case Kind::kError: return "error " + op.text;
    case Kind::kMessage: break;
  }
  return fmt::format("{}|{}|{}|{}|{}", op.subject, op.subscription, op.reply, as_text(op.headers),
                     as_text(op.payload));
}

TEST(NatsProtocolTest, ReadsEachOperationInPiecesOfAnySize) {
  struct Case {
    std::string_view sent;
    std::string read;
  };
  for (const Case& each : {
           Case{"INFO {\"server_id\":\"x\"}\r\n", "info {\"server_id\":\"x\"}"},
           Case{"PING\r\n", "ping"},
           Case{"PONG\r\n", "pong"},
           Case{"+OK\r\n", "ok"},
           Case{"-ERR 'Authorization Violation'\r\n", "error Authorization Violation"},
           Case{"MSG a.b 7 5\r\na\r\nbc\r\n", "a.b|7|||a\r\nbc"},
           Case{"MSG a.b 7 re.ply 0\r\n\r\n", "a.b|7|re.ply||"},
           Case{"MSG\ta.b  7\t1\r\nx\r\n", "a.b|7|||x"},
           Case{"HMSG a 1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "a|1||NATS/1.0\r\n\r\n|hi"},
           Case{"HMSG a 1 r 12 12\r\nNATS/1.0\r\n\r\n\r\n", "a|1|r|NATS/1.0\r\n\r\n|"},
       }) {
    for (std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{3}, each.sent.size()}) {
      auto op = read(each.sent, step);
      ASSERT_TRUE(op.has_value()) << each.sent << ": " << op.error().message();
      EXPECT_EQ(show(*op), each.read) << "in pieces of " << step;
    }
  }
}

TEST(NatsProtocolTest, StopsAtTheEndOfAnOperation) {
  OpParser parser;
  std::string_view two = "MSG a 1 2\r\nhi\r\nPING\r\n";
  EXPECT_EQ(*parser.feed(as_bytes(two)), 15U);
  EXPECT_EQ(as_text(parser.take().payload), "hi");
  EXPECT_EQ(*parser.feed(as_bytes(two.substr(15))), 6U);
  EXPECT_EQ(parser.take().kind, Kind::kPing);
}

TEST(NatsProtocolTest, RefusesWhatIsNoOperation) {
  for (const std::string& sent :
       {std::string("HTTP/1.1 400 Bad Request\r\n"), std::string("PING\n"), std::string("\r\n"),
        std::string("MSG a 1\r\n"), std::string("MSG a b c d e f 1\r\n"),
        std::string("MSG a -1 1\r\n"), std::string("MSG a 1 x\r\n"),
        std::string("MSG a 1 99999999999\r\n"), std::string("MSG a 1 99999999999999999999999\r\n"),
        std::string("HMSG a 1 3 2\r\n"), std::string("MSG a 1 2\r\nabc\r\n"),
        "INFO " + std::string(100'000, 'x')}) {
    auto op = read(sent, 4096);
    ASSERT_FALSE(op.has_value()) << sent.substr(0, 40);
    EXPECT_EQ(op.error().code(), Errc::kCorrupt) << sent.substr(0, 40);
  }
}

TEST(NatsProtocolTest, ReadsHeadersAndTheServersStatus) {
  auto status = parse_headers(as_bytes("NATS/1.0 503\r\n\r\n"));
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->status, 503U);
  auto more = parse_headers(as_bytes("NATS/1.0 404 No Messages\r\nA: b:c\r\nD:\r\n\r\n"));
  ASSERT_TRUE(more.has_value());
  EXPECT_EQ(more->description, "No Messages");
  ASSERT_NE(more->find("A"), nullptr);
  EXPECT_EQ(*more->find("A"), "b:c");
  EXPECT_EQ(*more->find("D"), "");
  EXPECT_EQ(more->find("a"), nullptr);
  for (std::string_view block :
       {"", "NATS/1.0", "NATS/2.0\r\n\r\n", "NATS/1.0\r\n", "HTTP/1.1 200", "NATS/1.0 abc\r\n\r\n",
        "NATS/1.0\r\nno colon\r\n\r\n", "NATS/1.0\r\n: x\r\n\r\n", "NATS/1.0\r\n\r\nmore"}) {
    EXPECT_FALSE(parse_headers(as_bytes(block)).has_value()) << block;
  }
}

TEST(NatsProtocolTest, KnowsASubjectThatCanBePublishedTo) {
  for (std::string_view subject : {"a", "a.b.c", "$KV.b.=2F", "_INBOX.x.1", "sn\u00f6w"}) {
    EXPECT_TRUE(is_subject(subject)) << subject;
  }
  for (std::string_view subject : {"", ".", "a.", ".a", "a..b", "a b", "a\r\n", "a.*", "a.>"}) {
    EXPECT_FALSE(is_subject(subject)) << subject;
  }
}

}  // namespace
}  // namespace weft::remote::nats
