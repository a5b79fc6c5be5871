// Shows which request heads and chunked bodies are read, how, and which are refused with what.

#include "io/http/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace weft {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAre;

constexpr HeadParser::Limits kLimits{1024, 8};

struct Refused {
  const char* bytes;
  int status;
};

// Every byte sequence that is refused, also when it comes a byte at a time.
TEST(HeadParser, RefusesWhatIsMalformed) {
  const Refused cases[] = {
      {"GET / HTTP/1.1\nHost: a\n\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
      {"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"\x16\x03\x01 GET", 400},
      {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /\r\nHost: a\r\n\r\n", 400},
      {"GET\r\nHost: a\r\n\r\n", 400},
      {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1,1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
      {"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /a<b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /a>b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /..\\b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /a`b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /a\"b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET http://a%2/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a%\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a%4\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: %zz\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a%4:80\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: []\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: [abc]\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: [::1::]\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: [fe80::1%eth0]\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:7:8:9]\r\n\r\n", 400},
      {"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n: a\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX(: a\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0b"
       "chunked\r\n\r\n",
       400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
       "chunked\r\n\r\n",
       400},
      {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", 417},
      {"GET / HTTP/1.1\r\n1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\nHost: a\r\n\r\n", 431},
  };
  for (const Refused& each : cases) {
    SCOPED_TRACE(each.bytes);
    HeadParser whole(kLimits);
    std::string bytes = each.bytes;
    EXPECT_EQ(whole.parse(bytes), HeadParser::State::kBad);
    EXPECT_EQ(whole.problem().status, each.status);
    HeadParser sliced(kLimits);
    auto state = HeadParser::State::kMore;
    std::string part;
    for (std::size_t i = 0; state == HeadParser::State::kMore && each.bytes[i] != 0; ++i) {
      part += each.bytes[i];
      state = sliced.parse(part);
    }
    EXPECT_EQ(state, HeadParser::State::kBad);
    EXPECT_EQ(sliced.problem().status, each.status);
  }
}

TEST(HeadParser, RefusesNul) {
  HeadParser parser(kLimits);
  std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"s;
  EXPECT_EQ(parser.parse(bytes), HeadParser::State::kBad);
  EXPECT_EQ(parser.problem().status, 400);
}

// The bounds hold exactly, and before the end of the head has come.
TEST(HeadParser, BoundsTheHead) {
  std::string line = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  std::string fits = line + std::string(kLimits.bytes_max - line.size() - 3, 'x') + "\r\n\r\n";
  EXPECT_EQ(HeadParser(kLimits).parse(fits), HeadParser::State::kDone);
  for (auto [bytes, status] :
       {std::pair<std::string, int>{line + std::string(kLimits.bytes_max, 'x'), 431},
        {"GET /" + std::string(kLimits.bytes_max, 'x'), 414}}) {
    HeadParser parser(kLimits);
    EXPECT_EQ(parser.parse(bytes), HeadParser::State::kBad);
    EXPECT_EQ(parser.problem().status, status);
  }
}

TEST(HeadParser, ReadsARequest) {
  std::string bytes =
      "\r\nPOST /a/b?c=d HTTP/1.1\r\nHOST: Example.com:80\r\nX-Empty:\r\n"
      "X-Space: \t a  b \t\r\nContent-Length: 0005\r\nExpect: 100-Continue\r\n\r\nhello";
  HeadParser parser(kLimits);
  ASSERT_EQ(parser.parse(bytes), HeadParser::State::kDone);
  const RequestHead& head = parser.head();
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/a/b?c=d");
  EXPECT_EQ(head.authority, "Example.com:80");
  EXPECT_THAT(head.headers, ElementsAre(Header{"host", "Example.com:80"}, Header{"x-empty", ""},
                                        Header{"x-space", "a  b"}, Header{"content-length", "0005"},
                                        Header{"expect", "100-Continue"}));
  EXPECT_EQ(head.content_length, 5u);
  EXPECT_TRUE(parser.expects_continue());
  EXPECT_TRUE(parser.keep_alive());
  EXPECT_EQ(bytes.substr(parser.size()), "hello");
  EXPECT_EQ(head.header("x-space"), "a  b");
  EXPECT_EQ(head.header("none"), std::nullopt);
}

TEST(HeadParser, ReadsEveryFormOfTarget) {
  struct Case {
    const char* line;
    const char* path;
    const char* authority;
  };
  for (const Case& each :
       {Case{"GET /x", "/x", "h"},
        {"OPTIONS *", "*", "h"},
        {"GET http://A:1/p?q", "/p?q", "A:1"},
        {"GET HTTPS://a", "/", "a"},
        {"GET http://a?q", "/?q", "a"},
        {"GET http://[::1]:8/x", "/x", "[::1]:8"},
        {"GET http://[::ffff:1.2.3.4]/", "/", "[::ffff:1.2.3.4]"},
        {"GET http://b%C3%BCcher:1/x", "/x", "b%C3%BCcher:1"},
        {"GET /a;b=1,2:@!$&'()*+~-._%7B?[x]=/?%", "/a;b=1,2:@!$&'()*+~-._%7B?[x]=/?%", "h"}}) {
    SCOPED_TRACE(each.line);
    HeadParser parser(kLimits);
    std::string bytes = std::string(each.line) + " HTTP/1.1\r\nHost: h\r\n\r\n";
    ASSERT_EQ(parser.parse(bytes), HeadParser::State::kDone);
    EXPECT_EQ(parser.head().path, each.path);
    EXPECT_EQ(parser.head().authority, each.authority);
  }
}

TEST(HeadParser, DecidesKeepAlive) {
  struct Case {
    const char* rest;
    bool kept;
  };
  for (const Case& each : {Case{"HTTP/1.1\r\nHost: a\r\n", true},
                           {"HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n", false},
                           {"HTTP/1.1\r\nHost: a\r\nConnection: x, close ,y\r\n", false},
                           {"HTTP/1.1\r\nHost: a\r\nConnection: closer\r\n", true},
                           {"HTTP/1.0\r\n", false},
                           {"HTTP/1.0\r\nConnection: keep-alive\r\n", true},
                           {"HTTP/1.0\r\nConnection: keep-alive, close\r\n", false}}) {
    SCOPED_TRACE(each.rest);
    HeadParser parser(kLimits);
    std::string bytes = std::string("GET / ") + each.rest + "\r\n";
    ASSERT_EQ(parser.parse(bytes), HeadParser::State::kDone);
    EXPECT_EQ(parser.keep_alive(), each.kept);
  }
}

// Used again, a parser knows nothing of the request before.
TEST(HeadParser, ForgetsAtReset) {
  HeadParser parser(kLimits);
  std::string first = "POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
  ASSERT_EQ(parser.parse(first), HeadParser::State::kDone);
  parser.reset();
  EXPECT_FALSE(parser.begun());
  std::string second = "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_EQ(parser.parse(second), HeadParser::State::kDone);
  EXPECT_EQ(parser.head().content_length, std::nullopt);
  EXPECT_FALSE(parser.expects_continue());
  EXPECT_TRUE(parser.keep_alive());
  EXPECT_EQ(parser.head().headers.size(), 1u);
}

struct Decoded {
  std::string data;
  std::string rest;
  int status = 0;
  bool done = false;
};

Decoded decode(ChunkDecoder& decoder, std::string_view bytes, std::size_t slice) {
  Decoded decoded;
  while (!bytes.empty() && !decoder.done() && !decoder.problem()) {
    std::string_view window = bytes.substr(0, slice);
    std::size_t eaten = decoder.skip(as_bytes(window));
    auto data = std::min<std::uint64_t>(decoder.data_left(), window.size() - eaten);
    decoded.data += window.substr(eaten, data);
    if (data > 0) decoder.took(data);
    bytes.remove_prefix(eaten + data);
  }
  decoded.rest = bytes;
  decoded.status = decoder.problem().status;
  decoded.done = decoder.done();
  return decoded;
}

TEST(ChunkDecoder, ReadsChunksAndTrailers) {
  for (std::size_t slice : {1, 2, 7, 1000}) {
    ChunkDecoder decoder;
    decoder.reset(100);
    Decoded decoded = decode(
        decoder, "5\r\nhello\r\n00a;x=\"y z\"\r\n 123456789\r\n0\r\nX-Sum: 1\r\ny:\r\n\r\nGET",
        slice);
    EXPECT_EQ(decoded.data, "hello 123456789");
    EXPECT_TRUE(decoded.done);
    EXPECT_EQ(decoded.rest, "GET");
    EXPECT_THAT(decoder.trailers(), ElementsAre(Header{"x-sum", "1"}, Header{"y", ""}));
  }
}

// A body may have any number of chunks, with long sizes and with extensions, as long as most of it
// is data.
TEST(ChunkDecoder, ReadsBodiesOfManyChunks) {
  ChunkDecoder decoder;
  decoder.reset(100);
  std::string data(0x10000, 'd');
  std::string chunk = "0010000;signature=" + std::string(100, 's') + "\r\n" + data + "\r\n";
  for (int i = 0; i < 2'000; ++i) {
    Decoded decoded = decode(decoder, chunk, chunk.size());
    ASSERT_EQ(decoded.status, 0) << "chunk " << i;
    ASSERT_EQ(decoded.data.size(), data.size());
  }
}

TEST(ChunkDecoder, RefusesWhatIsMalformed) {
  std::string extensions;
  for (int i = 0; i < 10; ++i) extensions += "1;" + std::string(500, 'e') + "\r\nx\r\n";
  const std::pair<std::string, int> cases[] = {
      {"x\r\n", 400},
      {"\r\n", 400},
      {"-1\r\n", 400},
      {" 1\r\n", 400},
      {"1 \r\nx\r\n", 400},
      {"0x1\r\nx\r\n", 400},
      {"1\nx\r\n", 400},
      {"1\r\nxy\r\n", 400},
      {"1\r\nx\n", 400},
      {"1\r\nx\rx", 400},
      {"1;a\nx\r\n", 400},
      {"1;\x01\r\nx\r\n", 400},
      {"1\rx", 400},
      {"10000000000000000\r\n", 400},
      {"ffffffffffffffff\r\n", 400},
      {std::string(5000, '0') + "1\r\nx", 400},
      {"0\r\nbad\r\n\r\n", 400},
      {"0\r\na: b\n\r\n", 400},
      {"0\r\nContent-Length: 1\r\n\r\n", 400},
      {"0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"0\r\na: " + std::string(200, 'b') + "\r\n\r\n", 431},
      {extensions, 400},
  };
  for (const auto& [bytes, status] : cases) {
    SCOPED_TRACE(bytes.substr(0, 40));
    for (std::size_t slice : {std::size_t{1}, bytes.size()}) {
      ChunkDecoder decoder;
      decoder.reset(100);
      Decoded decoded = decode(decoder, bytes, slice);
      EXPECT_EQ(decoded.status, status);
      EXPECT_FALSE(decoded.done);
    }
  }
}

}  // namespace
}  // namespace weft
