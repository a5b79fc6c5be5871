// Shows what the HTTP/2 wire answers over a real socket, frame by frame: requests beside each
// other, bodies and trailers both ways, windows, and the end of streams and connections.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <future>
#include <thread>

#include "io/http/http2_test_support.h"

namespace weft {
namespace {

using namespace http_test;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using End = ExchangeSummary::End;

void hello(HttpExchange::Ptr exchange) {
  answer(*exchange, 200, "hello");
}

// A client of a server, greeted.
struct Pair {
  explicit Pair(TestServer& server, std::string_view settings = "")
      : socket(*server.server), http(socket) {
    http.greet(settings);
  }
  Client socket;
  H2Client http;
};

// A server whose exchanges wait in a mailbox; `on_loop` works on them.
struct Holding {
  explicit Holding(HttpLimits limits = {})
      : server(
            [this](HttpExchange::Ptr held) {
              exchanges.put(std::make_shared<Held>(std::move(held)));
            },
            limits) {}
  void on_loop(const std::function<void()>& work) {
    server.loops.on_each([&](Loop&, std::size_t) { work(); });
  }
  Mailbox<std::shared_ptr<Held>> exchanges;
  TestServer server;
};

TEST(Http2, AnswersAndKeepsTheConnection) {
  Mailbox<std::string> heads;
  TestServer server([&](HttpExchange::Ptr exchange) {
    const RequestHead& head = exchange->request();
    std::string text = fmt::format("{} {} {} v{}", head.method, head.path, head.authority,
                                   static_cast<int>(head.version));
    for (const Header& each : head.headers) text += fmt::format("|{}: {}", each.name, each.value);
    heads.put(text);
    std::vector<Header> headers = {{"X-Upper", "yes"}, {"Connection", "close"}};
    answer(*exchange, 200, "hello", headers);
  });
  Pair pair(server);
  for (std::uint32_t stream : {1, 3, 5}) {
    pair.http.request(stream, "/a?b", "GET", {{"cookie", "x=1"}, {"y", "2"}, {"cookie", "z=3"}});
    H2Response& response = pair.http.response(stream);
    EXPECT_EQ(response.status(), 200);
    EXPECT_EQ(response.body, "hello");
    EXPECT_EQ(response.header("content-length"), "5");
    EXPECT_EQ(response.header("x-upper"), "yes");
    EXPECT_EQ(response.header("connection"), "(none)");
    EXPECT_THAT(response.header("date"), HasSubstr("GMT"));
    // The pieces of a cookie are one header, and there is a Host.
    EXPECT_EQ(heads.take(), "GET /a?b a.test v2|host: a.test|cookie: x=1; z=3|y: 2");
    auto done = server.done.take();
    ASSERT_TRUE(done);
    EXPECT_EQ(done->target, "/a?b");
    EXPECT_EQ(done->status, 200);
    EXPECT_EQ(done->end, End::kWhole);
    EXPECT_EQ(done->bytes_out, 5u);
  }
  EXPECT_EQ(server.server->connections(), 1u);
}

// HTTP/1 and HTTP/2 are served on the same address.
TEST(Http2, StandsBesideHttp1) {
  TestServer server(hello);
  Client old(*server.server);
  EXPECT_EQ(old.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body, "hello");
  // A preface in the middle of an HTTP/1 connection is not one.
  EXPECT_EQ(old.request(kPreface).status, 505);
  // It may come in any slices.
  Client sliced(*server.server);
  H2Client http(sliced);
  std::string bytes = std::string(kPreface) + frame(kSettings, 0, 0, "") +
                      frame(kHeaders, kEndHeaders | kEndStream, 1, request_fields("GET", "/"));
  for (char each : bytes) http.send({&each, 1});
  EXPECT_EQ(http.response(1).body, "hello");
}

TEST(Http2, ServesRequestsBesideEachOther) {
  Holding server;
  Pair pair(server.server);
  for (std::uint32_t i = 0; i < 100; ++i) pair.http.request(2 * i + 1, fmt::format("/{}", i));
  std::vector<std::shared_ptr<Held>> held;
  for (int i = 0; i < 100; ++i) held.push_back(*server.exchanges.take());
  server.on_loop([&] {
    for (std::size_t i = held.size(); i-- > 0;) {
      std::string path(held[i]->exchange->request().path);
      answer(*held[i]->exchange, 200, path);
      held[i]->exchange.reset();
    }
  });
  for (std::uint32_t i = 0; i < 100; ++i) {
    EXPECT_EQ(pair.http.response(2 * i + 1).body, fmt::format("/{}", i));
  }
}

// A call as gRPC makes it: messages and trailers both ways.
TEST(Http2, CarriesTrailersBothWays) {
  TestServer server([](HttpExchange::Ptr exchange) { Echo::start(std::move(exchange)); });
  Pair pair(server);
  pair.http.begin(1, "/pkg.Service/Call",
                  {{"te", "trailers"}, {"content-type", "application/grpc"}});
  pair.http.data(1, std::string("\0\0\0\0\3abc", 8));
  pair.http.send(frame(kHeaders, kEndHeaders | kEndStream, 1, field("grpc-status", "0")));
  H2Response& response = pair.http.response(1);
  EXPECT_TRUE(response.whole);
  EXPECT_EQ(response.status(), 200);
  EXPECT_EQ(response.body, std::string("\0\0\0\0\3abc", 8));
  ASSERT_EQ(response.trailers.size(), 1u);
  EXPECT_EQ(response.trailers[0], std::pair(std::string("grpc-status"), std::string("0")));
  // And with nothing but trailers.
  pair.http.begin(3, "/");
  pair.http.send(frame(kHeaders, kEndHeaders | kEndStream, 3, field("a", "b")));
  EXPECT_TRUE(pair.http.response(3).whole);
  EXPECT_EQ(pair.http.responses[3].trailers.size(), 1u);
}

TEST(Http2, CarriesLargeBodiesBothWays) {
  TestServer server([](HttpExchange::Ptr exchange) { Echo::start(std::move(exchange)); });
  Pair pair(server);
  pair.http.begin(1, "/");
  std::string sent;
  std::uint64_t used = 0;
  H2Response& response = pair.http.responses[1];
  while (sent.size() < (3u << 20)) {
    std::string piece(16'000, static_cast<char>('a' + sent.size() % 26));
    while (used + piece.size() > 65'535 + pair.http.windows[0] ||
           used + piece.size() > 65'535 + pair.http.windows[1]) {
      ASSERT_TRUE(pair.http.step());
    }
    pair.http.data(1, piece);
    used += piece.size();
    sent += piece;
  }
  pair.http.data(1, "", kEndStream);
  pair.http.response(1);
  EXPECT_TRUE(response.whole);
  EXPECT_EQ(response.body.size(), sent.size());
  EXPECT_TRUE(response.body == sent);
}

TEST(Http2, SendsNoBodyWhereNoneBelongs) {
  TestServer server([](HttpExchange::Ptr exchange) {
    int status = exchange->request().path == "/204" ? 204 : 200;
    ASSERT_TRUE(exchange->begin_response(status, {}, std::nullopt));
    exchange->write(as_bytes("text"));
    exchange->finish();
  });
  Pair pair(server);
  pair.http.request(1, "/", "HEAD");
  EXPECT_EQ(pair.http.response(1).header("content-length"), "4");
  EXPECT_EQ(pair.http.responses[1].body, "");
  pair.http.request(3, "/204");
  EXPECT_EQ(pair.http.response(3).status(), 204);
  EXPECT_EQ(pair.http.responses[3].header("content-length"), "(none)");
  EXPECT_EQ(pair.http.responses[3].body, "");
}

// A client whose window is closed holds the serving side back at kWriteBuffer.
TEST(Http2, HoldsTheServingSideBack) {
  Holding server;
  Pair pair(server.server, setting(4, 0));
  pair.http.request(1, "/");
  auto held = *server.exchanges.take();
  std::string block(kWriteBuffer, 'x');
  server.on_loop([&] {
    ASSERT_TRUE(held->exchange->begin_response(200, {}, std::nullopt));
    EXPECT_EQ(held->exchange->writable(), kWriteBuffer);
    EXPECT_FALSE(held->exchange->write(as_bytes(block)));
    EXPECT_EQ(held->exchange->writable(), 0u);
  });
  pair.http.read_until(kHeaders);
  EXPECT_TRUE(held->events.empty());
  pair.http.window(1, kWriteBuffer);
  EXPECT_EQ(held->events.take(), "writable");
  server.on_loop([&] {
    held->exchange->finish();
    held->exchange.reset();
  });
  EXPECT_EQ(pair.http.response(1).body.size(), kWriteBuffer);
}

// A body that nobody takes opens no window: the client may send the first one and no more.
TEST(Http2, HoldsTheClientBack) {
  constexpr std::size_t kWindow = kBodyBuffer - 1;
  Holding server;
  Pair pair(server.server);
  pair.http.begin(1, "/");
  for (int i = 0; i < 5; ++i) pair.http.data(1, std::string(kWindow / 5, 'x'));
  auto held = *server.exchanges.take();
  // Whatever came before the answer to a PING was all that came.
  pair.http.send(frame(kPing, 0, 0, "12345678"));
  pair.http.read_until(kPing);
  EXPECT_EQ(pair.http.windows[1], 0u);
  server.on_loop([&] {
    EXPECT_EQ(held->exchange->body().size(), kWindow);
    held->exchange->consume_body(kWindow);
    EXPECT_TRUE(held->exchange->body().empty());
  });
  while (pair.http.windows[1] < kWindow) {
    ASSERT_EQ(pair.http.read_until(kWindowUpdate).type, kWindowUpdate);
  }
  pair.http.data(1, "end", kEndStream);
  EXPECT_EQ(held->events.take(), "body");
  server.on_loop([&] {
    EXPECT_EQ(as_text(held->exchange->body()), "end");
    held->exchange->consume_body(3);
    EXPECT_EQ(held->exchange->body_state(), BodyState::kEnd);
    answer(*held->exchange, 200, "ok");
    held->exchange.reset();
  });
  EXPECT_EQ(pair.http.response(1).body, "ok");
}

// One client's stream that goes is told of; the others live on.
TEST(Http2, TellsThatTheClientReset) {
  Holding server;
  Pair pair(server.server);
  pair.http.request(1, "/1");
  pair.http.request(3, "/3");
  auto first = *server.exchanges.take();
  auto second = *server.exchanges.take();
  pair.http.send(frame(kReset, 0, 1, number32(NGHTTP2_CANCEL)));
  EXPECT_EQ(first->events.take(), "gone");
  server.on_loop([&] {
    EXPECT_TRUE(first->exchange->gone());
    first->exchange.reset();
    answer(*second->exchange, 200, "3");
    second->exchange.reset();
  });
  EXPECT_EQ(pair.http.response(3).body, "3");
  auto done = *server.server.done.take();
  EXPECT_EQ(done.target, "/1");
  EXPECT_EQ(done.end, End::kGone);
  // A client that drops the connection drops all of them; an exchange may outlive it.
  pair.http.request(5, "/5");
  auto third = *server.exchanges.take();
  pair.socket.close();
  EXPECT_EQ(third->events.take(), "gone");
  server.on_loop([&] {
    EXPECT_EQ(third->exchange->request().path, "/5");
    EXPECT_TRUE(third->exchange->begin_response(200, {}, std::nullopt));
    EXPECT_TRUE(third->exchange->write(as_bytes("x")));
    third->exchange.reset();
  });
  while (done.target != "/5") done = *server.server.done.take();
  EXPECT_EQ(done.end, End::kGone);
}

TEST(Http2, NeverPassesHalfAResponseForAWholeOne) {
  TestServer server([](HttpExchange::Ptr exchange) {
    std::string_view path = exchange->request().path;
    if (path == "/drop") return;
    std::optional<std::uint64_t> length;
    if (path == "/short" || path == "/long") length = 7;
    ASSERT_TRUE(exchange->begin_response(200, {}, length));
    exchange->write(as_bytes(path == "/long" ? "too long a body" : "half"));
    if (path == "/abort") return exchange->abort();
    if (path == "/short") return exchange->finish();
  });
  Pair pair(server);
  pair.http.request(1, "/drop");
  EXPECT_EQ(pair.http.response(1).status(), 500);
  EXPECT_EQ(server.done.take()->end, End::kWhole);
  std::uint32_t stream = 1;
  for (std::string_view path : {"/abort", "/stop", "/short", "/long"}) {
    SCOPED_TRACE(path);
    pair.http.request(stream += 2, path);
    EXPECT_EQ(pair.http.response(stream).reset, NGHTTP2_INTERNAL_ERROR);
    EXPECT_FALSE(pair.http.responses[stream].whole);
    EXPECT_EQ(server.done.take()->end, End::kBroken);
  }
}

// What is refused gets its status, or its stream is reset where it is no request.
TEST(Http2, RefusesWhatHttp1Refuses) {
  HttpLimits limits;
  limits.head_bytes_max = 1024;
  limits.headers_max = 8;
  limits.body_bytes_max = 10;
  TestServer server(hello, limits);
  Pair pair(server);
  std::string common = field(":method", "GET") + field(":scheme", "http");
  std::string path = field(":path", "/");
  std::string host = field(":authority", "a.test");
  std::string many;
  for (int i = 0; i < 9; ++i) many += field("x", "y");
  const std::pair<std::string, int> cases[] = {
      {common + path + host + field("host", "b.test"), 400},
      {common + field(":path", "/a`b") + host, 400},
      {common + path + field(":authority", "a%4.test"), 400},
      {common + path + host + field("x", std::string(2000, 'x')), 431},
      {common + path + host + many, 431},
      {common + host + field(":path", "/" + std::string(2000, 'x')), 414},
      {common + path + host + field("expect", "x"), 417},
      {common + path + host + field("bad", "a\nb"), 400},
      {field(":method", "CONNECT") + host, 501},
      {common + path + host + field("host", "A.test"), 200},
      {common + path + host, 200},
  };
  std::uint32_t stream = 1;
  for (const auto& [fields, status] : cases) {
    SCOPED_TRACE(fields.substr(0, 100));
    pair.http.send(frame(kHeaders, kEndHeaders | kEndStream, stream, fields));
    EXPECT_EQ(pair.http.response(stream).status(), status);
    EXPECT_TRUE(pair.http.responses[stream].whole);
    stream += 2;
  }
  for (const std::string& fields :
       {common + path, common + host, common + path + host + field("connection", "close"),
        common + path + host + field("content-length", "x"), common + path + path + host}) {
    SCOPED_TRACE(fields.substr(0, 100));
    pair.http.send(frame(kHeaders, kEndHeaders | kEndStream, stream, fields));
    EXPECT_EQ(pair.http.response(stream).reset, NGHTTP2_PROTOCOL_ERROR);
    stream += 2;
  }
  pair.http.begin(stream, "/", {{"content-length", "11"}});
  EXPECT_EQ(pair.http.response(stream).status(), 413);
}

// A body that grows beyond its bound is answered 413, and its serving side is told.
TEST(Http2, EndsBodiesThatAreTooLarge) {
  HttpLimits limits;
  limits.body_bytes_max = 10;
  Holding server(limits);
  Pair pair(server.server);
  pair.http.begin(1, "/");
  auto held = *server.exchanges.take();
  pair.http.data(1, "12345678901");
  EXPECT_EQ(held->events.take(), "gone");
  EXPECT_EQ(pair.http.response(1).status(), 413);
  server.on_loop([&] { held->exchange.reset(); });
  EXPECT_EQ(server.server.done.take()->end, End::kBroken);
}

// A response that is whole before its request ends the stream without an error.
TEST(Http2, DropsBodiesThatNobodyReads) {
  TestServer server(hello);
  Pair pair(server);
  pair.http.begin(1, "/");
  pair.http.data(1, "some");
  EXPECT_EQ(pair.http.response(1).body, "hello");
  EXPECT_EQ(pair.http.read_until(kReset).number(), NGHTTP2_NO_ERROR);
  pair.http.request(3, "/");
  EXPECT_EQ(pair.http.response(3).body, "hello");
}

TEST(Http2, AsksForABodyThatIsHeldBack) {
  Holding server;
  Pair pair(server.server);
  pair.http.begin(1, "/", {{"expect", "100-continue"}});
  auto held = *server.exchanges.take();
  server.on_loop([&] { EXPECT_TRUE(held->exchange->body().empty()); });
  pair.http.read_until(kHeaders);
  EXPECT_EQ(pair.http.responses[1].status(), 100);
  pair.http.data(1, "x", kEndStream);
  EXPECT_EQ(held->events.take(), "body");
  server.on_loop([&] {
    answer(*held->exchange, 200, "ok");
    held->exchange.reset();
  });
  EXPECT_EQ(pair.http.response(1).status(), 200);
}

// A drain says so, serves what is on its way, and loses nothing.
TEST(Http2, DrainsWithGoaway) {
  Holding server;
  Pair pair(server.server);
  pair.http.request(1, "/1");
  auto first = *server.exchanges.take();
  EXPECT_FALSE(server.server.server->drain(Deadline::after(1ms)));
  pair.http.read_until(kGoaway);
  EXPECT_EQ(pair.http.goaway, NGHTTP2_NO_ERROR);
  EXPECT_EQ(pair.http.goaway_last, 0x7fffffffu);
  // It was on its way when GOAWAY came.
  pair.http.request(3, "/3");
  auto second = *server.exchanges.take();
  pair.http.read_until(kGoaway);
  EXPECT_EQ(pair.http.goaway_last, 3u);
  server.on_loop([&] {
    for (const auto& each : {first, second}) {
      answer(*each->exchange, 200, each->exchange->request().path);
      each->exchange.reset();
    }
  });
  EXPECT_EQ(pair.http.response(1).body, "/1");
  EXPECT_EQ(pair.http.response(3).body, "/3");
  EXPECT_EQ(pair.http.read_until(kPing).type, 255);
  EXPECT_TRUE(server.server.server->drain(Deadline::after(kPatience)));
}

// Under load a drain loses no request that was below the last GOAWAY's number.
TEST(Http2, DrainLosesNothingUnderLoad) {
  TestServer server(
      [](HttpExchange::Ptr exchange) {
        Loop& loop = exchange->loop();
        loop.post([exchange = std::move(exchange)] { answer(*exchange, 200, "hello"); });
      },
      {}, 2);
  std::atomic<int> answered = 0;
  std::atomic<int> lost = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      Pair pair(server);
      for (std::uint32_t stream = 1;; stream += 2) {
        pair.http.request(stream, "/");
        H2Response& response = pair.http.response(stream);
        if (response.whole) {
          ++answered;
        } else {
          if (stream <= pair.http.goaway_last || !pair.http.goaway) ++lost;
          return;
        }
      }
    });
  }
  while (answered < 400) std::this_thread::yield();
  EXPECT_TRUE(server.server->drain(Deadline::after(kPatience)));
  for (auto& client : clients) client.join();
  EXPECT_EQ(lost, 0);
}

}  // namespace
}  // namespace weft
