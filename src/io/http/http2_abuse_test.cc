// Shows that what an HTTP/2 client does to wear a server out is bounded, each way of it: it is
// refused, reset or sent away, and the requests of others are served meanwhile.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "io/http/http2_test_support.h"

namespace weft {
namespace {

using namespace http_test;
using namespace std::chrono_literals;

void hello(HttpExchange::Ptr exchange) {
  answer(*exchange, 200, "hello");
}

HttpLimits quick() {
  HttpLimits limits;
  limits.head_timeout = limits.idle_timeout = limits.body_timeout = limits.write_timeout = 400ms;
  return limits;
}

struct Attack {
  explicit Attack(TestServer& its_server, std::string_view settings = "")
      : server(its_server), socket(*its_server.server), http(socket) {
    http.greet(settings);
  }
  // Sends again and again until the server ends the connection; whether it did within `most`.
  bool until_sent_away(std::size_t most, const std::function<std::string(std::size_t)>& bytes) {
    for (std::size_t i = 0; i < most; ++i) {
      if (!http.send(bytes(i))) return true;
      // What the server says is read, so that it is the bound that ends it and not the socket.
      char room[4096];
      ssize_t count = ::recv(socket.fd(), room, sizeof(room), MSG_DONTWAIT);
      if (count == 0 || (count < 0 && errno == ECONNRESET)) return true;
    }
    return false;
  }
  // Reads what is left: the error of the GOAWAY that ended it.
  std::optional<std::uint32_t> reason() {
    http.read_until(255);
    return http.goaway;
  }
  void expect_others_served() {
    Client other(*server.server);
    EXPECT_EQ(other.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
  }

  TestServer& server;
  Client socket;
  H2Client http;
};

std::string get(std::size_t i) {
  return frame(kHeaders, kEndHeaders | kEndStream, static_cast<std::uint32_t>(2 * i + 1),
               request_fields("GET", "/"));
}

// Sends all, then reads: the GOAWAY says why.
TEST(Http2Abuse, RapidResetIsBounded) {
  std::atomic<int> begun = 0;
  TestServer server([&](HttpExchange::Ptr exchange) {
    ++begun;
    answer(*exchange, 200, "hello");
  });
  Attack attack(server);
  std::string all;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    all += get(i) + frame(kReset, 0, 2 * i + 1, number32(NGHTTP2_CANCEL));
  }
  attack.http.send(all);
  EXPECT_EQ(attack.reason(), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_LT(begun, static_cast<int>(kHttp2ResetsMax) + 200);
  attack.expect_others_served();
}

// curl does so behind each answer: it costs nobody anything, and is a frame like any other.
TEST(Http2Abuse, ResetsOfStreamsThatAreOverAreNoAbuse) {
  TestServer server(hello);
  Attack attack(server);
  // More than nghttp2 allows by itself, which is a thousand.
  constexpr std::uint32_t kCalls = 12 * kHttp2ResetsMax;
  for (std::uint32_t i = 0; i < kCalls; ++i) {
    attack.http.send(get(i));
    ASSERT_EQ(attack.http.response(2 * i + 1).status(), 200) << i;
    attack.http.send(frame(kReset, 0, 2 * i + 1, number32(NGHTTP2_STREAM_CLOSED)));
  }
  EXPECT_EQ(attack.http.goaway, std::nullopt);
}

// A client that makes the server reset its streams is no better.
TEST(Http2Abuse, ResetsThatAreProvokedCount) {
  TestServer server([](HttpExchange::Ptr) {});
  Attack attack(server);
  std::string all;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    // A window that is opened too far is an error of its stream.
    all += frame(kHeaders, kEndHeaders, 2 * i + 1, request_fields("POST", "/")) +
           frame(kWindowUpdate, 0, 2 * i + 1, number32(0x7fffffff));
  }
  attack.http.send(all);
  EXPECT_EQ(attack.reason(), NGHTTP2_ENHANCE_YOUR_CALM);
}

TEST(Http2Abuse, FramesThatBringNothingAreBounded) {
  TestServer server(hello);
  const std::pair<const char*, std::string> floods[] = {
      {"ping", frame(kPing, 0, 0, "12345678")},
      {"ping answer", frame(kPing, kAck, 0, "12345678")},
      {"settings", frame(kSettings, 0, 0, setting(3, 100))},
      {"priority", frame(kPriority, 0, 1, number32(0) + "x")},
      {"window", frame(kWindowUpdate, 0, 0, number32(1))},
  };
  for (const auto& [name, bytes] : floods) {
    SCOPED_TRACE(name);
    Attack attack(server);
    EXPECT_TRUE(attack.until_sent_away(100'000, [&](std::size_t) { return bytes; }));
    attack.expect_others_served();
  }
}

TEST(Http2Abuse, EmptyDataIsBounded) {
  TestServer server([](HttpExchange::Ptr exchange) { Echo::start(std::move(exchange)); });
  Attack attack(server);
  attack.http.begin(1, "/");
  EXPECT_TRUE(attack.until_sent_away(100'000, [&](std::size_t) { return frame(kData, 0, 1, ""); }));
}

// Pings whose answers nobody reads are not kept.
TEST(Http2Abuse, AnswersThatNobodyReadsAreBounded) {
  TestServer server(hello);
  Client socket(server.server->port(), 4096);
  H2Client http(socket);
  http.greet();
  std::string block;
  for (int i = 0; i < 500; ++i) block += frame(kPing, 0, 0, "12345678");
  for (int i = 0; i < 1000 && http.send(block); ++i) continue;
  EXPECT_FALSE(http.send(block));
}

TEST(Http2Abuse, ContinuationsAreBounded) {
  TestServer server(hello);
  for (bool empty : {true, false}) {
    Attack attack(server);
    attack.http.send(frame(kHeaders, kEndStream, 1, request_fields("GET", "/")));
    std::string more = frame(kContinuation, 0, 1, empty ? "" : field("x", std::string(1000, 'x')));
    EXPECT_TRUE(attack.until_sent_away(100'000, [&](std::size_t) { return more; }));
    attack.expect_others_served();
  }
}

// A head that a few bytes of HPACK blow up is cut off.
TEST(Http2Abuse, HeadsThatUnfoldAreBounded) {
  TestServer server(hello);
  Attack attack(server);
  // One field of 4000 bytes goes into the table, and is then named by one byte each.
  std::string block = request_fields("GET", "/");
  std::string big = field("x", std::string(3900, 'x'));
  big[0] = '\x40';
  block += big + std::string(8000, '\xbe');
  attack.http.send(frame(kHeaders, kEndHeaders | kEndStream, 1, block));
  // Either its status or the door.
  H2Response& response = attack.http.response(1);
  if (response.whole) {
    EXPECT_EQ(response.status(), 431);
  } else {
    EXPECT_EQ(attack.http.goaway, NGHTTP2_ENHANCE_YOUR_CALM);
  }
  attack.expect_others_served();
}

TEST(Http2Abuse, StreamsAtOnceAreBounded) {
  std::atomic<int> begun = 0;
  std::vector<HttpExchange::Ptr> held;
  TestServer server([&](HttpExchange::Ptr exchange) {
    ++begun;
    held.push_back(std::move(exchange));
  });
  Attack attack(server);
  attack.http.read_until(kSettings);
  attack.http.send(frame(kPing, 0, 0, "12345678"));
  attack.http.read_until(kPing);
  std::string all;
  for (std::uint32_t i = 0; i < 120; ++i) all += get(i);
  attack.http.send(all + frame(kPing, 0, 0, "12345678"));
  attack.http.read_until(kPing);
  EXPECT_EQ(begun, static_cast<int>(kHttp2StreamsMax));
  server.loops.on_each([&](Loop&, std::size_t) { held.clear(); });
}

// Streams that are reset while their serving side works on do not make room for ever more work.
TEST(Http2Abuse, WorkThatGoesOnAfterAResetIsBounded) {
  std::atomic<std::size_t> most = 0;
  std::vector<HttpExchange::Ptr> held;
  TestServer server([&](HttpExchange::Ptr exchange) {
    held.push_back(std::move(exchange));
    most = held.size();
  });
  {
    Attack attack(server);
    for (std::uint32_t round = 0; round < 3; ++round) {
      std::string all;
      std::string resets;
      for (std::uint32_t i = round * 90; i < (round + 1) * 90; ++i) {
        all += get(i);
        resets += frame(kReset, 0, 2 * i + 1, number32(NGHTTP2_CANCEL));
      }
      attack.http.send(all + frame(kPing, 0, 0, "12345678"));
      attack.http.read_until(kPing);
      if (round < 2) attack.http.send(resets);
    }
    EXPECT_EQ(most, kHttp2HeldMax);
  }
  server.loops.on_each([&](Loop&, std::size_t) { held.clear(); });
}

// A window that stays closed is waited for no longer than a socket that takes nothing.
TEST(Http2Abuse, AWindowThatStaysClosedEndsTheStream) {
  TestServer server(
      [](HttpExchange::Ptr exchange) { answer(*exchange, 200, std::string(1000, 'x')); }, quick());
  Attack attack(server, setting(4, 1));
  attack.http.request(1, "/");
  EXPECT_EQ(attack.http.response(1, H2Client::Windows::kLeave).reset, NGHTTP2_CANCEL);
  EXPECT_EQ(server.done.take()->end, ExchangeSummary::End::kGone);
}

TEST(Http2Abuse, SlowClientsAreCut) {
  TestServer server(
      [](HttpExchange::Ptr exchange) {
        struct Reader final : ExchangeEvents {
          HttpExchange::Ptr exchange;
          void on_gone() override { delete this; }
        };
        auto* reader = new Reader;
        reader->exchange = std::move(exchange);
        reader->exchange->listen(reader);
        EXPECT_TRUE(reader->exchange->body().empty());
      },
      quick());
  // A preface that does not go on.
  Client half(*server.server);
  half.send(kPreface.substr(0, 20));
  EXPECT_FALSE(half.read_to_end().empty());  // Our SETTINGS and GOAWAY.
  // A head that does not end.
  Attack head(server);
  head.http.read_until(kSettings);
  head.http.send(frame(kHeaders, kEndStream, 1, request_fields("GET", "/")));
  EXPECT_EQ(head.reason(), NGHTTP2_NO_ERROR);
  // A body that does not come.
  Attack body(server);
  body.http.begin(1, "/");
  EXPECT_EQ(body.http.response(1).status(), 408);
  // Nothing at all.
  Attack idle(server);
  EXPECT_EQ(idle.reason(), NGHTTP2_NO_ERROR);
}

// Bytes that are no HTTP/2 end the connection with an error, or without a word.
TEST(Http2Abuse, NonsenseEndsTheConnection) {
  TestServer server(hello);
  const std::string cases[] = {
      frame(kHeaders, kEndHeaders, 2, request_fields("GET", "/")),
      frame(kData, 0, 1, "x"),
      frame(kSettings, 0, 0, "12345"),
      frame(kSettings, 0, 1, ""),
      frame(kContinuation, kEndHeaders, 1, ""),
      frame(kHeaders, kEndHeaders | kEndStream, 1, "\xff\xff\xff\xff\xff"),
      frame(kWindowUpdate, 0, 0, number32(0)),
      frame(kPing, 0, 0, "1"),
      std::string("\xff\xff\xff\x00\x00\x00\x00\x00\x01", 9),
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  };
  for (const std::string& bytes : cases) {
    SCOPED_TRACE(::testing::PrintToString(bytes.substr(0, 30)));
    Attack attack(server);
    attack.http.send(bytes);
    auto reason = attack.reason();
    ASSERT_TRUE(reason);
    EXPECT_NE(*reason, NGHTTP2_NO_ERROR);
  }
}

}  // namespace
}  // namespace weft
