// Shows that replies are read as Redis writes them, in pieces of any size, and that nonsense and
// what is out of bounds is refused.
#include "capabilities/keyvalue/drivers/redis/resp.h"

#include <gtest/gtest.h>

#include <string>

namespace weft::keyvalue::redis {
namespace {

using Kind = Reply::Kind;

// Feeds in pieces of `step` bytes; all of it has to be one reply.
Result<Reply> read(std::string_view text, std::size_t step) {
  ReplyParser parser;
  for (std::size_t at = 0; at < text.size();) {
    auto used = parser.feed(as_bytes(text.substr(at, step)));
    if (!used) return std::unexpected(used.error());
    at += *used;
  }
  if (!parser.done()) return failure(Errc::kNotFound, "not complete");
  return parser.take();
}

std::string show(const Reply& reply) {
  switch (reply.kind) {
    case Kind::kNull: return "null";
    case Kind::kInteger: return std::to_string(reply.integer);
    case Kind::kText: return "+" + std::string(reply.text());
    case Kind::kBytes: return "'" + std::string(reply.text()) + "'";
    case Kind::kError: return "-" + std::string(reply.text());
    case Kind::kList:
    case Kind::kPush: break;
  }
  std::string all = reply.kind == Kind::kPush ? ">(" : "(";
  for (const Reply& each : reply.items) all += show(each) + " ";
  return all + ")";
}

TEST(RespTest, ReadsEachKindInPiecesOfAnySize) {
  struct Case {
    std::string_view sent;
    std::string read;
  };
  for (const Case& each : {
           Case{"+OK\r\n", "+OK"},
           Case{"-ERR no\r\n", "-ERR no"},
           Case{":-42\r\n", "-42"},
           Case{":+7\r\n", "7"},
           Case{"$5\r\na\r\nbc\r\n", "'a\r\nbc'"},
           Case{"$0\r\n\r\n", "''"},
           Case{"$-1\r\n", "null"},
           Case{"_\r\n", "null"},
           Case{"#t\r\n", "1"},
           Case{",3.14\r\n", "+3.14"},
           Case{"=8\r\ntxt:four\r\n", "'four'"},
           Case{"!5\r\nERR x\r\n", "-ERR x"},
           Case{"*0\r\n", "()"},
           Case{"*-1\r\n", "null"},
           Case{"*3\r\n:1\r\n*2\r\n$1\r\na\r\n_\r\n+x\r\n", "(1 ('a' null ) +x )"},
           Case{"%1\r\n+k\r\n:1\r\n", "(+k 1 )"},
           Case{"~2\r\n:1\r\n:2\r\n", "(1 2 )"},
           Case{">2\r\n+invalidate\r\n_\r\n", ">(+invalidate null )"},
       }) {
    for (std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{3}, each.sent.size()}) {
      auto reply = read(each.sent, step);
      ASSERT_TRUE(reply.has_value()) << each.sent << ": " << reply.error().message();
      EXPECT_EQ(show(*reply), each.read) << "in pieces of " << step;
    }
  }
}

TEST(RespTest, StopsAtTheEndOfAReply) {
  ReplyParser parser;
  std::string_view two = "+one\r\n+two\r\n";
  auto used = parser.feed(as_bytes(two));
  ASSERT_TRUE(used.has_value());
  EXPECT_EQ(*used, 6U);
  EXPECT_EQ(parser.take().text(), "one");
  EXPECT_EQ(*parser.feed(as_bytes(two.substr(6))), 6U);
  EXPECT_EQ(parser.take().text(), "two");
}

TEST(RespTest, RefusesWhatIsNoReply) {
  std::string deep;
  for (int i = 0; i < 9; ++i) deep += "*1\r\n";
  for (const std::string& sent :
       {std::string("HTTP/1.1 400 Bad Request\r\n"), std::string("+OK\n"), std::string("\r\n"),
        std::string(":one\r\n"), std::string(":1x\r\n"), std::string("$-2\r\n"),
        std::string("$3\r\nabcd\r\n"), std::string("$999999999999\r\n"),
        std::string("*99999999\r\n"), std::string("*-2\r\n"), std::string("#x\r\n"),
        std::string("=2\r\nab\r\n"), deep, "+" + std::string(100'000, 'x')}) {
    auto reply = read(sent, 4096);
    ASSERT_FALSE(reply.has_value()) << sent.substr(0, 40);
    EXPECT_EQ(reply.error().code(), Errc::kCorrupt) << sent.substr(0, 40);
  }
}

TEST(RespTest, BoundsWhatManySmallItemsTake) {
  ReplyParser parser;
  // Lists of lists, each of the most items: the sum is what counts.
  std::string many = "*1048576\r\n";
  for (int i = 0; i < 1'100'000; ++i) many += "_\r\n";
  Result<std::size_t> used = parser.feed(as_bytes(many));
  EXPECT_FALSE(used.has_value());
}

}  // namespace
}  // namespace weft::keyvalue::redis
