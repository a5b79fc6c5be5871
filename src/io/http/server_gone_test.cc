// Shows who counts as gone: a client that only stops sending is answered, and one that left is told
// of as soon as that can be known.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "io/http/server.h"
#include "io/http/test_support.h"

namespace weft {
namespace {

using namespace http_test;
using ::testing::HasSubstr;
using End = ExchangeSummary::End;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

// The serving side hears that its client left: before the response, in its middle, in the body, by
// a reset, or by the end of a body that is not whole. It hears it once.
TEST(HttpGone, IsToldWhereverItHappens) {
  HoldingServer server;
  for (std::string_view when : {"before", "middle", "body"}) {
    for (bool reset : {false, true}) {
      if (!reset && when != "body") continue;  // That may be a client that waits: see below.
      SCOPED_TRACE(fmt::format("{} {}", when, reset));
      Client client(*server.server.server);
      client.send(when == "body" ? "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"
                                 : kGet);
      auto held = *server.exchanges.take();
      server.on_loop([&] {
        if (when == "middle") {
          ASSERT_TRUE(held->exchange->begin_response(200, {}, 10));
          held->exchange->write(as_bytes("part"));
        }
        if (when == "body") {
          held->exchange->consume_body(held->exchange->body().size());
          held->exchange->body();
        }
      });
      if (when == "middle") EXPECT_THAT(client.read_until("part"), HasSubstr("part"));
      reset ? client.reset() : client.close();
      EXPECT_EQ(held->events.take(), "gone");
      server.on_loop([&] {
        EXPECT_TRUE(held->exchange->gone());
        EXPECT_NE(held->exchange->body_state(), BodyState::kMore);
        // What is still said to it goes nowhere and does no harm; the request is still readable.
        EXPECT_EQ(held->exchange->request().path, "/");
        if (when != "middle") EXPECT_TRUE(held->exchange->begin_response(200, {}, std::nullopt));
        EXPECT_TRUE(held->exchange->write(as_bytes("more")));
        held->exchange->finish();
        held->exchange.reset();
      });
      EXPECT_TRUE(held->events.empty());
      EXPECT_EQ(server.server.done.take()->end, reset ? End::kGone : End::kBroken);
    }
  }
}

// A client that only stops sending gets its response, whether it is finished already or not begun.
TEST(HttpHalfClose, StillGetsTheResponse) {
  std::string large(16 << 20, 'x');
  TestServer ready([&](HttpExchange::Ptr exchange) { answer(*exchange, 200, large); });
  Client client(*ready.server);
  client.send(kGet);
  client.half_close();
  EXPECT_TRUE(client.read_response().body == large);
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(ready.done.take()->end, End::kWhole);

  HoldingServer server;
  Client late(*server.server.server);
  late.send(kGet);
  late.half_close();
  auto held = *server.exchanges.take();
  server.on_loop([&] {
    ASSERT_TRUE(held->exchange->begin_response(200, {}, std::nullopt));
    held->exchange->write(as_bytes("first "));
  });
  EXPECT_THAT(late.read_until("first "), HasSubstr("first "));
  server.on_loop([&] {
    EXPECT_FALSE(held->exchange->gone());
    EXPECT_EQ(held->exchange->body_state(), BodyState::kEnd);
    held->exchange->write(as_bytes("second"));
    held->exchange->finish();
    held->exchange.reset();
  });
  EXPECT_THAT(late.read_to_end(), HasSubstr("second"));
  EXPECT_FALSE(late.was_reset());
  EXPECT_TRUE(held->events.empty());
  EXPECT_EQ(server.server.done.take()->end, End::kWhole);
}

// What it sent ahead is answered too, and half a request behind that ends the connection.
TEST(HttpHalfClose, AnswersWhatWasSentAhead) {
  HoldingServer server;
  for (std::string_view rest : {"", "GET /2 HTTP/1.1\r\nHo"}) {
    Client client(*server.server.server);
    client.send(
        "GET /0 HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" +
        std::string(rest));
    client.half_close();
    for (std::string_view path : {"/0", "/1"}) {
      auto held = *server.exchanges.take();
      server.on_loop([] {});
      server.on_loop([&] {
        answer(*held->exchange, 200, held->exchange->request().path);
        held->exchange.reset();
      });
      EXPECT_EQ(client.read_response().body, path);
    }
    EXPECT_TRUE(client.closed());
    EXPECT_FALSE(client.was_reset());
  }
}

// One that left in good order is noticed when a piece of its response comes back.
TEST(HttpHalfClose, WhoLeftIsNoticedByWriting) {
  HoldingServer server;
  Client client(*server.server.server);
  client.send(kGet);
  auto held = *server.exchanges.take();
  server.on_loop([&] {
    ASSERT_TRUE(held->exchange->begin_response(200, {}, std::nullopt));
    held->exchange->write(as_bytes("part"));
  });
  EXPECT_THAT(client.read_until("part\r\n"), HasSubstr("part"));
  client.close();
  // One piece: that it was for nobody is news that comes by itself.
  server.on_loop([&] { held->exchange->write(as_bytes("more")); });
  EXPECT_EQ(held->events.take(), "gone");
  server.on_loop([&] { held->exchange.reset(); });
  EXPECT_EQ(server.server.done.take()->end, End::kGone);
}

// A body that ends before its length is told to both sides.
TEST(HttpHalfClose, ABodyThatIsCutIsRefused) {
  HoldingServer server;
  for (std::string_view framing :
       {"Content-Length: 9\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"}) {
    SCOPED_TRACE(framing);
    Client client(*server.server.server);
    client.send(fmt::format("POST / HTTP/1.1\r\nHost: a\r\n{}", framing));
    client.half_close();
    auto held = *server.exchanges.take();
    server.on_loop([&] {
      held->exchange->consume_body(held->exchange->body().size());
      EXPECT_TRUE(held->exchange->body().empty());
    });
    EXPECT_EQ(held->events.take(), "gone");
    EXPECT_EQ(client.read_response().status, 400);
    server.on_loop([&] {
      EXPECT_EQ(held->exchange->body_state(), BodyState::kFailed);
      held->exchange.reset();
    });
    EXPECT_EQ(server.server.done.take()->end, End::kBroken);
  }
}

// An exchange outlives its server and its connection.
TEST(HttpGone, AnExchangeMayOutliveTheServer) {
  HoldingServer server;
  Client client(*server.server.server);
  client.send(kGet);
  auto held = *server.exchanges.take();
  server.server.server.reset();
  EXPECT_EQ(held->events.take(), "gone");
  EXPECT_EQ(client.read_response().status, 0);
  server.on_loop([&] {
    EXPECT_EQ(held->exchange->request().authority, "a");
    held->exchange.reset();
  });
  EXPECT_TRUE(server.server.done.empty());
}

}  // namespace
}  // namespace weft
