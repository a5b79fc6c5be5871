// Shows that TLS carries both HTTPs, which versions it speaks, what comes of certificates that
// cannot be served with, and that they are replaced while clients are served.

#include "io/http/tls.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <thread>

#include "io/http/http2_test_support.h"
#include "io/http/tls_test_support.h"

namespace weft {
namespace {

using namespace http_test;
using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

// A server with one address that is plain and one with TLS.
struct TlsServer {
  explicit TlsServer(TestHandler::Serve serve_function, HttpLimits limits = {})
      : serve(std::move(serve_function)), handler(serve, done) {
    auto made = TlsContext::load(folder.put(MadeCertificate("first.test")));
    EXPECT_TRUE(made) << made.error().message();
    context = std::move(*made);
    HttpHandler* handlers[] = {&handler};
    auto listening = HttpServer::listen(
        loops, handlers,
        {.addresses = {{}, {.address = "127.0.0.1", .port = 0, .tls = context}}, .limits = limits});
    EXPECT_TRUE(listening) << listening.error().message();
    server = std::move(*listening);
  }
  std::uint16_t port() const { return server->port(1); }

  TlsFolder folder;
  TestHandler::Serve serve;
  Mailbox<Done> done;
  TestHandler handler;
  Loops loops{{.count = 1, .started = {}, .stopping = {}}};
  std::shared_ptr<TlsContext> context;
  std::unique_ptr<HttpServer> server;
};

void hello(HttpExchange::Ptr exchange) {
  answer(*exchange, 200, "hello");
}

TEST(Tls, CarriesHttp1BesideAPlainAddress) {
  TlsServer server(hello);
  EXPECT_THAT(server.server->url(0), ::testing::StartsWith("http://127.0.0.1:"));
  EXPECT_THAT(server.server->url(1), ::testing::StartsWith("https://127.0.0.1:"));
  Client plain(server.server->port());
  EXPECT_EQ(plain.request(kGet).body, "hello");
  TlsClient client(server.port());
  ASSERT_TRUE(client.connected);
  EXPECT_EQ(client.version(), "TLSv1.3");
  for (int i = 0; i < 3; ++i) {
    client.send(kGet);
    EXPECT_THAT(client.receive_until("hello"), HasSubstr("HTTP/1.1 200 OK\r\n"));
  }
  // Two requests in one record, and one in many.
  client.send(std::string(kGet) + std::string(kGet));
  std::string both = client.receive_until("hello");
  if (both.find("hello") == both.rfind("hello")) both += client.receive_until("hello");
  EXPECT_NE(both.find("hello"), both.rfind("hello"));
  for (char each : kGet) client.send({&each, 1});
  EXPECT_THAT(client.receive_until("hello"), EndsWith("hello"));
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  client.receive_until("hello");
  EXPECT_EQ(client.receive(), "");
  EXPECT_TRUE(client.clean_end);
}

TEST(Tls, AgreesOnTheProtocol) {
  TlsServer server(hello);
  TlsClient both(server.port(), {.protocols = "\x08http/1.1\x02h2"});
  EXPECT_EQ(both.protocol(), "h2");
  TlsClient old(server.port(), {.protocols = "\x08http/1.1"});
  EXPECT_EQ(old.protocol(), "http/1.1");
  old.send(kGet);
  EXPECT_THAT(old.receive_until("hello"), EndsWith("hello"));
  TlsClient other(server.port(), {.protocols = "\x03xyz"});
  EXPECT_FALSE(other.connected);
}

TEST(Tls, CarriesHttp2) {
  TlsServer server([](HttpExchange::Ptr exchange) { Echo::start(std::move(exchange)); });
  TlsClient client(server.port(), {.protocols = "\x02h2"});
  ASSERT_TRUE(client.connected);
  H2Client http([&](std::string_view bytes) { return client.send(bytes); },
                [&] { return client.receive(); });
  http.greet();
  std::string block(50'000, 'x');
  for (std::uint32_t stream = 1; stream < 40; stream += 2) {
    http.begin(stream, "/");
    for (std::size_t at = 0; at < block.size(); at += 10'000) {
      http.data(stream, std::string_view(block).substr(at, 10'000));
    }
    http.data(stream, "", kEndStream);
    H2Response& response = http.response(stream);
    EXPECT_TRUE(response.whole);
    EXPECT_EQ(response.body, block);
  }
}

TEST(Tls, CarriesLargeBodies) {
  TlsServer server([](HttpExchange::Ptr exchange) { Echo::start(std::move(exchange)); });
  TlsClient client(server.port());
  std::string body;
  for (std::size_t i = 0; body.size() < (4u << 20); ++i) body += fmt::format("{} ", i);
  std::string sent =
      fmt::format("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.size()) + body;
  std::string got;
  // In pieces that the client takes back before it sends more: one thread has the session.
  for (std::size_t at = 0; at < sent.size(); at += 30'000) {
    ASSERT_TRUE(client.send(std::string_view(sent).substr(at, 30'000)));
    std::size_t head = got.find("\r\n\r\n");
    std::size_t wanted = std::min(at + 30'000, sent.size()) - (sent.size() - body.size());
    while (head == std::string::npos || got.size() - head - 4 < wanted) {
      std::string more = client.receive();
      ASSERT_FALSE(more.empty());
      got += more;
      head = got.find("\r\n\r\n");
    }
  }
  EXPECT_TRUE(got.ends_with(body));
}

TEST(Tls, RefusesOldVersions) {
  TlsServer server(hello);
  TlsClient old(server.port(), {.protocols = {}, .version_max = TLS1_1_VERSION});
  EXPECT_FALSE(old.connected);
  TlsClient good(server.port(), {.protocols = {}, .version_max = TLS1_2_VERSION});
  ASSERT_TRUE(good.connected);
  EXPECT_EQ(good.version(), "TLSv1.2");
  good.send(kGet);
  EXPECT_THAT(good.receive_until("hello"), EndsWith("hello"));
}

// Whoever does not shake hands, or says something else, is cut; the others are served.
TEST(Tls, CutsWhoDoesNotShakeHands) {
  HttpLimits limits;
  limits.tls_timeout = 1'500ms;
  TlsServer server(hello, limits);
  Client silent(server.port());
  Client plain(server.port());
  plain.send(kGet);
  EXPECT_THAT(plain.read_to_end(), ::testing::Not(HasSubstr("HTTP/1.1")));
  TlsClient good(server.port());
  good.send(kGet);
  EXPECT_THAT(good.receive_until("hello"), EndsWith("hello"));
  EXPECT_TRUE(silent.closed());
}

// New handshakes see the new certificate, old connections go on; a certificate that is no good
// changes nothing.
TEST(Tls, ReplacesTheCertificate) {
  TlsServer server(hello);
  TlsClient first(server.port());
  EXPECT_EQ(first.name(), "first.test");
  server.folder.put(MadeCertificate("second.test"));
  EXPECT_EQ(TlsClient(server.port()).name(), "first.test");
  ASSERT_TRUE(server.context->reload());
  EXPECT_EQ(TlsClient(server.port()).name(), "second.test");
  server.folder.put("key.pem", MadeCertificate("third.test").key);
  auto failed = server.context->reload();
  ASSERT_FALSE(failed);
  EXPECT_EQ(TlsClient(server.port()).name(), "second.test");
  first.send(kGet);
  EXPECT_THAT(first.receive_until("hello"), EndsWith("hello"));
}

// What a context of other files has read is served from then on.
TEST(Tls, TakesOverAnotherCertificate) {
  TlsServer server(hello);
  TlsFolder elsewhere;
  auto other = TlsContext::load(elsewhere.put(MadeCertificate("other.test")));
  ASSERT_TRUE(other);
  server.context->take_over(**other);
  EXPECT_EQ(TlsClient(server.port()).name(), "other.test");
}

// Reloads beside handshakes on another thread harm nobody.
TEST(Tls, ReplacesTheCertificateUnderLoad) {
  TlsServer server(hello);
  std::atomic<bool> over = false;
  std::thread reloader([&] {
    while (!over) EXPECT_TRUE(server.context->reload());
  });
  for (int i = 0; i < 50; ++i) {
    TlsClient client(server.port());
    ASSERT_TRUE(client.connected);
    client.send(kGet);
    EXPECT_THAT(client.receive_until("hello"), EndsWith("hello"));
  }
  over = true;
  reloader.join();
}

// A drain serves who is shaking hands and says the end to the others.
TEST(Tls, Drains) {
  TlsServer server(hello);
  TlsClient idle(server.port());
  idle.send(kGet);
  idle.receive_until("hello");
  // One that never shakes hands is not waited for until its time is out.
  Client silent(server.port());
  auto start = Deadline::Clock::now();
  EXPECT_TRUE(server.server->drain(Deadline::after(kPatience)));
  EXPECT_LT(Deadline::Clock::now() - start, 8s);
  EXPECT_EQ(idle.receive(), "");
}

TEST(Tls, NamesFilesThatCannotBeServedWith) {
  TlsFolder folder;
  MadeCertificate made("a.test");
  std::string certificate = folder.put("c.pem", made.certificate);
  std::string key = folder.put("k.pem", made.key);
  std::string other = folder.put("other.pem", MadeCertificate("b.test").key);
  std::string locked = folder.put("locked.pem", made.locked_key);
  std::string text = folder.put("text.pem", "not PEM\n");
  struct Case {
    TlsFiles files;
    Errc code;
    std::string message;
  };
  const Case cases[] = {
      {{"/nowhere/c.pem", key}, Errc::kNotFound, "certificate /nowhere/c.pem: No such file"},
      {{certificate, "/nowhere/k.pem"}, Errc::kNotFound, "key /nowhere/k.pem: No such file"},
      {{"", key}, Errc::kInvalid, "no certificate is named"},
      {{certificate, ""}, Errc::kInvalid, "no key is named"},
      {{text, key}, Errc::kInvalid, "certificate " + text + ": it has no certificate in PEM"},
      {{certificate, text}, Errc::kInvalid, "key " + text + ": it has no private key in PEM"},
      {{certificate, locked}, Errc::kInvalid, "may be encrypted"},
      {{certificate, other}, Errc::kInvalid, "key " + other + ": it is not the key of certificate"},
      {{key, certificate}, Errc::kInvalid, "it has no certificate in PEM form"},
  };
  for (const auto& [files, code, message] : cases) {
    auto loaded = TlsContext::load(files);
    ASSERT_FALSE(loaded) << message;
    EXPECT_EQ(loaded.error().code(), code);
    EXPECT_THAT(loaded.error().message(), HasSubstr(message));
    EXPECT_THAT(loaded.error().message(), ::testing::Not(HasSubstr("PRIVATE KEY-----\n")));
  }
  EXPECT_TRUE(TlsContext::load({certificate, key}));
}

}  // namespace
}  // namespace weft
