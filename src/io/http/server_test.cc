// Shows what the HTTP/1.1 wire answers over a real socket: bytes in, exact status out, and whether
// the connection lives on.

#include "io/http/server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <set>
#include <thread>

#include "io/http/test_support.h"

namespace weft {
namespace {

using namespace http_test;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using End = ExchangeSummary::End;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

void hello(HttpExchange::Ptr exchange) {
  answer(*exchange, 200, "hello");
}

std::string post(std::string_view path, std::string_view body, std::string_view headers = "") {
  return fmt::format("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n{}\r\n{}", path,
                     body.size(), headers, body);
}

TEST(HttpServer, AnswersAndKeepsTheConnection) {
  TestServer server(hello);
  Client client(*server.server);
  for (int i = 0; i < 3; ++i) {
    Response response = client.request(kGet);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "hello");
    EXPECT_EQ(response.header("content-length"), "5");
    EXPECT_EQ(response.header("connection"), "(none)");
    EXPECT_EQ(response.header("server"), "(none)");
    EXPECT_THAT(response.header("date"),
                ::testing::MatchesRegex("[A-Z][a-z]+, [0-9]+ [A-Z][a-z]+ [0-9]+ [0-9:]+ GMT"));
    auto done = server.done.take();
    ASSERT_TRUE(done);
    EXPECT_EQ(done->status, 200);
    EXPECT_EQ(done->end, End::kWhole);
    EXPECT_EQ(done->bytes_out, 5u);
  }
  EXPECT_EQ(server.server->connections(), 1u);
}

// What is refused gets its status, the rest of what the client sent is not served, and the
// connection ends without a reset that could eat the answer.
TEST(HttpServer, RefusesAndCloses) {
  HttpLimits limits;
  limits.head_bytes_max = 1024;
  limits.headers_max = 8;
  limits.body_bytes_max = 10;
  limits.trailer_bytes_max = 64;
  std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string many;
  for (int i = 0; i < 10; ++i) many += "x: y\r\n";
  const std::pair<std::string, int> cases[] = {
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: a\n\n", 400},
      {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505},
      {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417},
      {"GET / HTTP/1.1\r\nHost: a\r\n" + many + "\r\n", 431},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(2000, 'x'), 431},
      {"GET /" + std::string(2000, 'x'), 414},
      {post("/", "12345678901"), 413},
      {chunked + "b\r\n12345678901\r\n0\r\n\r\n", 413},
      {chunked + "6\r\n123456\r\n5\r\n12345\r\n0\r\n\r\n", 413},
      {chunked + "zz\r\n", 400},
      {chunked + "1\r\nx\r\n0\r\nT: " + std::string(100, 't') + "\r\n\r\n", 431},
  };
  // The serving side reads the whole body before it answers.
  TestServer server(
      [](HttpExchange::Ptr exchange) {
        struct Reader final : ExchangeEvents {
          HttpExchange::Ptr exchange;
          void on_body_ready() override {
            std::array<std::uint8_t, 100> room;
            while (exchange->read_body(room) > 0) continue;
            if (exchange->body_state() != BodyState::kEnd) return;
            answer(*exchange, 200, "all read");
            delete this;
          }
          void on_gone() override { delete this; }
        };
        auto* reader = new Reader;
        reader->exchange = std::move(exchange);
        reader->exchange->listen(reader);
        reader->on_body_ready();
      },
      limits);
  for (const auto& [bytes, status] : cases) {
    SCOPED_TRACE(bytes.substr(0, 80));
    Client client(*server.server);
    client.send(bytes + std::string(kGet));
    Response response = client.read_response();
    EXPECT_EQ(response.status, status);
    EXPECT_TRUE(response.whole);
    EXPECT_EQ(response.header("connection"), "close");
    EXPECT_TRUE(client.closed());
    EXPECT_FALSE(client.was_reset());
  }
  // And at the limit it is served.
  Client client(*server.server);
  EXPECT_EQ(client.request(post("/", "1234567890")).body, "all read");
  EXPECT_EQ(client.request(chunked + "a\r\n1234567890\r\n0\r\n\r\n").body, "all read");
}

// A request that comes a byte at a time is the same request.
TEST(HttpServer, TakesBytesOneByOne) {
  TestServer server(Echo::start);
  Client client(*server.server);
  for (char byte : std::string("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3\r\nabc\r\n1\r\nd\r\n0\r\nX-T: 1\r\n\r\n")) {
    client.send({&byte, 1});
  }
  Response response = client.read_response();
  EXPECT_EQ(response.body, "abcd");
  EXPECT_EQ(response.trailers, "x-t: 1\r\n");
  EXPECT_EQ(server.done.take()->bytes_in, 4u);
}

// Many requests in one packet are answered one after the other, in order, whoever answers late.
TEST(HttpServer, ServesAPipelineInOrder) {
  std::atomic<int> at_once = 0;
  TestServer server([&](HttpExchange::Ptr exchange) {
    EXPECT_EQ(++at_once, 1);
    if (exchange->request().path.ends_with("0")) {
      --at_once;
      return answer(*exchange, 200, exchange->request().path);
    }
    Loop& loop = exchange->loop();
    loop.post([&, exchange = std::move(exchange)] {
      --at_once;
      answer(*exchange, 200, exchange->request().path);
    });
  });
  Client client(*server.server);
  std::string all;
  for (int i = 0; i < 50; ++i) {
    all += i % 3 == 0 ? post(fmt::format("/{}", i), "a body that nobody reads")
                      : fmt::format("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", i);
  }
  client.send(all);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(client.read_response().body, fmt::format("/{}", i));
  }
  EXPECT_EQ(client.request(kGet).body, "/");
}

// The next request comes while the last is being served: nothing of it is lost.
TEST(HttpServer, KeepsWhatComesDuringAnExchange) {
  Mailbox<std::shared_ptr<Held>> helds;
  TestServer server(
      [&](HttpExchange::Ptr exchange) { helds.put(std::make_shared<Held>(std::move(exchange))); });
  Client client(*server.server);
  for (int i = 0; i < 3; ++i) {
    if (i == 0) client.send(post("/0", std::string(5000, 'x')));
    auto held = helds.take();
    ASSERT_TRUE(held);
    client.send(fmt::format("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", i + 1));
    server.loops.on_each([](Loop&, std::size_t) {});  // Its bytes may be there by now, or not.
    server.loops.on_each([&](Loop&, std::size_t) {
      answer(*(*held)->exchange, 200, (*held)->exchange->request().path);
      (*held)->exchange.reset();
    });
    EXPECT_EQ(client.read_response().body, fmt::format("/{}", i));
  }
  auto last = helds.take();
  ASSERT_TRUE(last);
  server.loops.on_each([&](Loop&, std::size_t) { (*last)->exchange.reset(); });
}

TEST(HttpServer, EchoesBodiesOfEverySize) {
  TestServer server(Echo::start);
  Client client(*server.server);
  for (std::size_t size : {0, 1, 2047, 2048, 2049, 65'536, 65'537, 200'000, 3'000'000}) {
    SCOPED_TRACE(size);
    std::string body(size, 'x');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>('a' + i % 23);
    std::thread sender([&] { client.send(post("/", body)); });
    Response counted = client.read_response();
    sender.join();
    EXPECT_EQ(counted.body, body);
    std::thread chunker([&] {
      client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (std::size_t at = 0; at < size; at += 10'007) {
        std::string part = body.substr(at, 10'007);
        client.send(fmt::format("{:x}\r\n{}\r\n", part.size(), part));
      }
      client.send("0\r\n\r\n");
    });
    Response chunked = client.read_response();
    chunker.join();
    EXPECT_EQ(chunked.body, body);
  }
}

// The client is told to go on when its body is asked for, and only then.
TEST(HttpServer, SaysContinueWhenTheBodyIsAskedFor) {
  TestServer server([](HttpExchange::Ptr exchange) {
    if (exchange->request().path == "/refuse") return answer(*exchange, 403, "no");
    Echo::start(std::move(exchange));
  });
  constexpr std::string_view kHead = "Host: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
  {
    TestServer late([](HttpExchange::Ptr exchange) {
      struct Reader final : ExchangeEvents {
        HttpExchange::Ptr exchange;
        void on_body_ready() override {
          std::array<std::uint8_t, 5> room;
          ASSERT_EQ(exchange->read_body(room), 5u);
          answer(*exchange, 200, as_text(room));
          delete this;
        }
      };
      auto* reader = new Reader;
      reader->exchange = std::move(exchange);
      reader->exchange->listen(reader);
      if (!reader->exchange->body().empty()) reader->on_body_ready();
    });
    Client client(*late.server);
    EXPECT_EQ(client.request(fmt::format("POST / HTTP/1.1\r\n{}", kHead)).status, 100);
    EXPECT_EQ(client.request("hello").body, "hello");
    // A client that does not wait is not told.
    Response eager = client.request(fmt::format("POST / HTTP/1.1\r\n{}hello", kHead));
    EXPECT_EQ(eager.status, 200);
    EXPECT_EQ(eager.header("connection"), "(none)");
  }
  Client refused(*server.server);
  Response response = refused.request(fmt::format("POST /refuse HTTP/1.1\r\n{}", kHead));
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.header("connection"), "close");
  EXPECT_TRUE(refused.closed());
}

// Responses without a body: HEAD with the length it would have had, 204, 304.
TEST(HttpServer, SendsNoBodyWhereNoneBelongs) {
  TestServer server([](HttpExchange::Ptr exchange) {
    int status = exchange->request().path == "/204"   ? 204
                 : exchange->request().path == "/304" ? 304
                                                      : 200;
    ASSERT_TRUE(exchange->begin_response(status, {}, std::nullopt));
    exchange->write(as_bytes("hello"));
    exchange->finish();
  });
  Client client(*server.server);
  client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  Response head = client.read_response(Client::Body::kNone);
  EXPECT_EQ(head.header("content-length"), "5");
  for (std::string_view path : {"/204", "/304"}) {
    client.send(fmt::format("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", path));
    Response none = client.read_response(Client::Body::kNone);
    EXPECT_EQ(none.status, path == "/204" ? 204 : 304);
    EXPECT_EQ(none.header("transfer-encoding"), "(none)");
    if (path == "/204") EXPECT_EQ(none.header("content-length"), "(none)");
  }
  EXPECT_EQ(client.request(kGet).body, "hello");
}

// A length that nobody gave is counted when the body is whole in the turn, chunked when it is not,
// and ends with the connection for HTTP/1.0.
TEST(HttpServer, FramesWhatHasNoLength) {
  TestServer server([](HttpExchange::Ptr exchange) {
    ASSERT_TRUE(exchange->begin_response(200, {}, std::nullopt));
    exchange->write(as_bytes("first"));
    if (exchange->request().path == "/now") return exchange->finish();
    Loop& loop = exchange->loop();
    loop.post([&loop, exchange = std::move(exchange)]() mutable {
      loop.post([exchange = std::move(exchange)] {
        exchange->write(as_bytes(" second"));
        Header trailers[] = {{"x-sum", "2"}, {"content-length", "9"}, {"bad name", "x"}};
        exchange->finish_with_trailers(trailers);
      });
    });
  });
  Client client(*server.server);
  Response now = client.request("GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(now.header("content-length"), "5");
  EXPECT_EQ(now.header("transfer-encoding"), "(none)");
  Response later = client.request(kGet);
  EXPECT_EQ(later.header("transfer-encoding"), "chunked");
  EXPECT_EQ(later.header("content-length"), "(none)");
  EXPECT_EQ(later.body, "first second");
  EXPECT_EQ(later.trailers, "x-sum: 2\r\n");
  EXPECT_TRUE(later.whole);
  Client old(*server.server);
  Response until_close = old.request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(until_close.header("transfer-encoding"), "(none)");
  EXPECT_EQ(until_close.header("connection"), "close");
  EXPECT_EQ(until_close.body, "first second");
  Client kept(*server.server);
  Response counted = kept.request("GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(counted.header("connection"), "keep-alive");
  EXPECT_EQ(kept.request("GET /now HTTP/1.0\r\n\r\n").header("connection"), "close");
  EXPECT_TRUE(kept.closed());
}

TEST(HttpServer, ClosesWhenEitherSideAsks) {
  TestServer server([](HttpExchange::Ptr exchange) {
    std::vector<Header> headers;
    if (exchange->request().path == "/close") headers = {{"Connection", "close"}};
    answer(*exchange, 200, "x", headers);
  });
  Client asks(*server.server);
  EXPECT_EQ(
      asks.request("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").header("connection"),
      "close");
  EXPECT_TRUE(asks.closed());
  Client told(*server.server);
  EXPECT_EQ(told.request("GET /close HTTP/1.1\r\nHost: a\r\n\r\n").header("connection"), "close");
  EXPECT_TRUE(told.closed());
}

// Headers of one hop stay here, a guest's own Date goes out alone, and what would split the
// response is refused before a byte of it is out.
TEST(HttpServer, GuardsTheResponseHead) {
  TestServer server([](HttpExchange::Ptr exchange) {
    const std::vector<std::vector<Header>> bad = {
        {{"x", "a\r\nset-cookie: b"}},
        {{"x\r\ny", "a"}},
        {{"", "a"}},
        {{"a b", "c"}},
        {{"x", std::string_view("\0", 1)}},
        {{"content-length", "x"}},
        {{"content-length", "-1"}},
        {{"content-length", "1"}, {"Content-Length", "2"}}};
    for (const auto& headers : bad) {
      auto begun = exchange->begin_response(200, headers, std::nullopt);
      ASSERT_FALSE(begun);
      EXPECT_EQ(begun.error().code(), Errc::kInvalid);
    }
    for (int status : {0, 100, 199, 600, -200}) {
      EXPECT_FALSE(exchange->begin_response(status, {}, std::nullopt));
    }
    const Header wrong[] = {{"content-length", "3"}};
    EXPECT_FALSE(exchange->begin_response(200, wrong, 2));
    const std::vector<Header> headers = {{"Connection", "x-hop, keep-alive"},
                                         {"X-Hop", "1"},
                                         {"Keep-Alive", "2"},
                                         {"Transfer-Encoding", "gzip"},
                                         {"TE", "trailers"},
                                         {"Upgrade", "h2c"},
                                         {"Trailer", "x"},
                                         {"Proxy-Connection", "close"},
                                         {"Date", "today"},
                                         {"X-Real", "yes"},
                                         {"x-real", "too"},
                                         {"Content-Length", "2"}};
    answer(*exchange, 299, "ok", headers);
  });
  Client client(*server.server);
  client.send(kGet);
  std::string head = client.read_until("\r\n\r\n");
  EXPECT_EQ(head,
            "HTTP/1.1 299 \r\nDate: today\r\nX-Real: yes\r\nx-real: too\r\n"
            "content-length: 2\r\n\r\n");
}

// A serving side that drops the exchange unanswered is answered for; one that stops in the middle
// leaves a response that cannot be taken for whole.
TEST(HttpServer, NeverPassesHalfAResponseForAWholeOne) {
  TestServer server([](HttpExchange::Ptr exchange) {
    std::string_view path = exchange->request().path;
    if (path == "/drop") exchange->id = 255;
    if (path == "/drop") return;
    std::optional<std::uint64_t> length;
    if (path == "/short" || path == "/long") length = 7;
    ASSERT_TRUE(exchange->begin_response(200, {}, length));
    exchange->write(as_bytes(path == "/long" ? "too long a body" : "half"));
    if (path == "/abort") return exchange->abort();
    if (path == "/short") return exchange->finish();
    if (path == "/late") {
      Loop& loop = exchange->loop();
      loop.post([&loop, exchange = std::move(exchange)]() mutable {
        loop.post([exchange = std::move(exchange)] {});
      });
    }
  });
  Client client(*server.server);
  Response dropped = client.request("GET /drop HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(dropped.status, 500);
  EXPECT_EQ(dropped.header("x-request-id"), "00000000000000ff");
  EXPECT_EQ(server.done.take()->end, End::kWhole);
  for (std::string_view path : {"/abort", "/stop", "/short", "/long", "/late"}) {
    SCOPED_TRACE(path);
    Client broken(*server.server);
    Response response = broken.request(fmt::format("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", path));
    EXPECT_FALSE(response.whole);
    auto done = server.done.take();
    ASSERT_TRUE(done);
    EXPECT_EQ(done->target, path);
    EXPECT_EQ(done->end, End::kBroken);
  }
}

// A body that nobody reads is dropped where it is small, so that the connection lives; a large one
// ends it, and the client still gets its answer.
TEST(HttpServer, DropsBodiesThatNobodyReads) {
  TestServer server(hello);
  Client client(*server.server);
  EXPECT_EQ(client.request(post("/", std::string(100'000, 'x'))).status, 200);
  EXPECT_EQ(client.request(kGet).status, 200);
  std::thread sender([&] { client.send(post("/", std::string(3 * kDrainMax, 'x'))); });
  EXPECT_EQ(client.read_response().status, 200);
  sender.join();
  EXPECT_TRUE(client.read_to_end().empty());
}

TEST(HttpServer, NamesAnAddressThatItCannotHave) {
  TestServer server(hello);
  TestHandler::Serve serve = hello;
  Mailbox<Done> done;
  TestHandler handler(serve, done);
  HttpHandler* handlers[] = {&handler};
  auto taken =
      HttpServer::listen(server.loops, handlers, {.addresses = {{.port = server.server->port()}}});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code(), Errc::kConflict);
  EXPECT_THAT(taken.error().message(), HasSubstr(std::to_string(server.server->port())));
  auto name = HttpServer::listen(server.loops, handlers, {.addresses = {{.address = "example"}}});
  ASSERT_FALSE(name);
  EXPECT_THAT(name.error().message(), HasSubstr("\"example\" is not an IP address"));
  auto elsewhere =
      HttpServer::listen(server.loops, handlers, {.addresses = {{.address = "192.0.2.1"}}});
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().code(), Errc::kInvalid);
  auto v6 = HttpServer::listen(server.loops, handlers, {.addresses = {{.address = "::1"}}});
  if (v6) EXPECT_THAT((*v6)->url(), ::testing::MatchesRegex("http://\\[::1\\]:[0-9]+/"));
}

// All loops share the port that one of them was given.
TEST(HttpServer, SharesItsPortBetweenLoops) {
  Mailbox<Loop*> seen;
  TestServer server(
      [&](HttpExchange::Ptr exchange) {
        seen.put(&exchange->loop());
        answer(*exchange, 200, "x");
      },
      {}, 2);
  std::set<Loop*> loops;
  for (int i = 0; i < 200 && loops.size() < 2; ++i) {
    Client client(*server.server);
    EXPECT_EQ(client.request(kGet).status, 200);
    loops.insert(*seen.take());
  }
  EXPECT_EQ(loops.size(), 2u);
}

}  // namespace
}  // namespace weft
