// Shows the admin server as a client sees it: what it answers, what it refuses, and that a loop
// which is stuck is told of while everything else still answers.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <latch>
#include <map>
#include <mutex>

#include "io/http/test_support.h"
#include "observe/admin_handler.h"
#include "observe/admin_server.h"
#include "observe/observatory.h"

namespace weft {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
namespace json = boost::json;

class View final : public HostView {
 public:
  HostFacts facts() override {
    return {.state = state, .urls = {"http://127.0.0.1:1/"}, .started = {}};
  }
  std::shared_ptr<const std::string> apps() override {
    return std::make_shared<const std::string>(R"([{"name":"shop"}])");
  }
  std::atomic<HostFacts::State> state = HostFacts::State::kServing;
};

// Ends each call at once but those whose target is "held", which end when they are cancelled. One
// that asks something of a capability tells lines before: as many as its arguments say, of 1 KiB.
class Calls final : public AdminCalls {
 public:
  bool may_call() const override { return allowed; }
  std::uint64_t begin(AdminCall call, AdminCallEvents events) override {
    std::lock_guard hold(mutex);
    std::uint64_t number = ++begun;
    events.begun(std::chrono::seconds(60));
    if (!call.capability.empty()) {
      for (int i = 0; i < std::stoi(call.arguments); ++i) {
        if (!events.told(std::to_string(i) + std::string(1'024, '.'))) ++lost;
      }
    }
    if (call.target == "held") {
      held[number] = std::move(events);
    } else if (call.target == "trap") {
      events.ended(failure(Errc::kTrap, "it \"trapped\""));
    } else {
      events.ended(fmt::format("{} {}", call.function, call.time.count()));
    }
    return number;
  }
  void cancel(std::uint64_t number) override {
    std::lock_guard hold(mutex);
    auto found = held.find(number);
    if (found == held.end()) return;
    found->second.ended(failure(Errc::kCancelled, "cancelled"));
    held.erase(found);
  }
  std::size_t held_now() {
    std::lock_guard hold(mutex);
    return held.size();
  }

  std::atomic<bool> allowed = true;
  std::atomic<int> lost = 0;  // Lines.
  std::mutex mutex;
  std::uint64_t begun = 0;                        // Guarded.
  std::map<std::uint64_t, AdminCallEvents> held;  // Guarded.
};

// Answers what it is told to, later where it is held.
class Served final : public HttpHandler {
 public:
  explicit Served(LoopObserver& observer)
      : observer_(observer), meter_(observer.metrics().route("shop", "cart", "/cart/...")) {}
  void handle(HttpExchange::Ptr exchange) override {
    exchange->id = 0xabc;
    observer_.begin(*exchange, meter_);
    if (exchange->request().path.starts_with("/held")) {
      held = std::move(exchange);
      return;
    }
    answer(std::move(exchange));
  }
  void on_complete(const ExchangeSummary& summary) override { observer_.end(summary); }
  static void answer(HttpExchange::Ptr exchange) {
    if (!exchange->begin_response(200, {}, 2)) return;
    exchange->write(as_bytes("ok"));
    exchange->finish();
  }

  HttpExchange::Ptr held;

 private:
  LoopObserver& observer_;
  RouteMeter& meter_;
};

class AdminTest : public ::testing::Test {
 protected:
  AdminTest() {
    loops_.on_each(
        [&](Loop&, std::size_t i) { handlers_[i] = std::make_unique<Served>(observatory_.of(i)); });
    HttpHandler* const handlers[] = {handlers_[0].get(), handlers_[1].get()};
    server_ = *HttpServer::listen(loops_, handlers, {});
    auto url = observatory_.serve({}, &spy_, &calls_);
    EXPECT_TRUE(url);
    std::string_view text = *url;
    text.remove_suffix(1);
    port_ = static_cast<std::uint16_t>(std::stoi(std::string(text.substr(text.rfind(':') + 1))));
  }
  ~AdminTest() override {
    server_.reset();
    loops_.on_each([&](Loop&, std::size_t i) { handlers_[i].reset(); });
  }

  http_test::Response ask(std::string_view path, std::string_view method = "GET",
                          std::string_view host = "127.0.0.1") {
    http_test::Client client(port_);
    return client.request(fmt::format("{} {} HTTP/1.1\r\nhost: {}\r\n\r\n", method, path, host));
  }

  static std::string call_of(std::string_view target, std::string_view more = {},
                             std::string_view host = "127.0.0.1") {
    AdminCall call{.target = std::string(target), .function = "f(1)", .arguments = {}};
    call.time = std::chrono::milliseconds(7);
    std::string body = call.write();
    return fmt::format(
        "POST /api/call HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n"
        "x-weft-call: 1\r\n{}content-length: {}\r\n\r\n{}",
        host, more, body.size(), body);
  }
  http_test::Response call(std::string_view target, std::string_view more = {},
                           std::string_view host = "127.0.0.1") {
    http_test::Client client(port_);
    return client.request(call_of(target, more, host));
  }

  // A request is counted a moment after its client has the response: asks until the answer has
  // `part`, and returns it.
  std::string ask_until(std::string_view path, std::string_view part) {
    std::string body;
    auto end = Deadline::after(http_test::kPatience);
    do {
      body = ask(path).body;
    } while (!body.contains(part) && !end.passed());
    EXPECT_THAT(body, HasSubstr(std::string(part)));
    return body;
  }

  View view_;
  SpyQueue spy_;
  Calls calls_;
  Loops loops_{{.count = 2}};
  Observatory observatory_{loops_, view_, std::nullopt};
  std::unique_ptr<Served> handlers_[2];
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
};

TEST_F(AdminTest, CountsRequestsOfEveryLoop) {
  http_test::Client client(*server_);
  EXPECT_EQ(client.request("GET /cart/1 HTTP/1.1\r\nhost: x\r\n\r\n").status, 200);
  EXPECT_EQ(client.request("GET /cart/2 HTTP/1.1\r\nhost: x\r\n\r\n").status, 200);
  std::string metrics =
      ask_until("/metrics",
                "weft_http_requests_total{app=\"shop\",component=\"cart\",route=\"/cart/...\","
                "status=\"2xx\"} 2\n");
  EXPECT_THAT(metrics, HasSubstr("weft_loops 2\n"));
}

TEST_F(AdminTest, AnswersJson) {
  http_test::Client client(*server_);
  client.request("GET /cart/1 HTTP/1.1\r\nhost: x\r\n\r\n");
  json::object overview = json::parse(ask_until("/api/overview", R"("requests":1)")).as_object();
  EXPECT_EQ(overview["state"].as_string(), "serving");
  EXPECT_EQ(overview["totals"].as_object()["requests"].as_int64(), 1);
  EXPECT_EQ(overview["routes"].as_array().size(), 1U);
  EXPECT_EQ(ask("/api/apps").body, R"([{"name":"shop"}])");
  EXPECT_TRUE(json::parse(ask("/api/traps").body).is_array());
  EXPECT_TRUE(json::parse(ask("/api/history").body).is_object());
}

TEST_F(AdminTest, ShowsWhatIsUnderWayWithoutItsQuery) {
  http_test::Client client(*server_);
  client.send("GET /held/it?token=sesame HTTP/1.1\r\nhost: x\r\n\r\n");
  json::object requests;
  auto end = Deadline::after(http_test::kPatience);
  do {
    http_test::Response answer = ask("/api/requests");
    ASSERT_EQ(answer.status, 200);
    EXPECT_THAT(answer.body, Not(HasSubstr("sesame")));
    requests = json::parse(answer.body).as_object();
  } while (requests["count"].as_int64() == 0 && !end.passed());
  ASSERT_EQ(requests["count"].as_int64(), 1);
  json::object shown = requests["shown"].as_array()[0].as_object();
  EXPECT_EQ(shown["path"].as_string(), "/held/it");
  EXPECT_EQ(shown["request"].as_string(), "0000000000000abc");
  EXPECT_EQ(shown["component"].as_string(), "cart");
  loops_.on_each([&](Loop&, std::size_t i) {
    if (handlers_[i]->held != nullptr) Served::answer(std::move(handlers_[i]->held));
  });
  EXPECT_EQ(client.read_response().status, 200);
  ask_until("/api/requests", R"("count":0)");
}

TEST_F(AdminTest, IsReadyWhileEveryLoopAnswers) {
  EXPECT_EQ(ask("/healthz").body, "ok\n");
  EXPECT_EQ(ask("/readyz").body, "ready\n");
  view_.state = HostFacts::State::kStopping;
  http_test::Response stopping = ask("/readyz");
  EXPECT_EQ(stopping.status, 503);
  EXPECT_EQ(stopping.body, "stopping\n");
  EXPECT_EQ(ask("/healthz").status, 200);
}

TEST_F(AdminTest, TellsOfALoopThatIsStuck) {
  std::latch begun(1);
  std::latch over(1);
  loops_[1].post([&] {
    begun.count_down();
    over.wait();
  });
  begun.wait();
  EXPECT_EQ(ask("/healthz").status, 200);
  EXPECT_EQ(ask("/metrics").status, 200);
  http_test::Response ready = ask("/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.body, "1 of 2 loops did not answer\n");
  over.count_down();
  EXPECT_EQ(ask("/readyz").status, 200);
}

TEST_F(AdminTest, ServesThePageWithAPolicy) {
  http_test::Response page = ask("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.body, HasSubstr("<title>weft</title>"));
  EXPECT_THAT(page.header("content-security-policy"), HasSubstr("default-src 'none'"));
  EXPECT_EQ(page.header("x-content-type-options"), "nosniff");
  EXPECT_EQ(ask("/page.css").header("content-type"), "text/css; charset=utf-8");
  EXPECT_EQ(ask("/page.js").header("content-type"), "text/javascript; charset=utf-8");
  // Nothing is fetched from elsewhere.
  for (std::string_view path : {"/", "/page.css", "/page.js"}) {
    std::string body = ask(path).body;
    EXPECT_THAT(body, Not(HasSubstr("https://"))) << path;
    EXPECT_THAT(body, Not(HasSubstr("url("))) << path;
  }
}

TEST_F(AdminTest, RefusesWhatItDoesNotServe) {
  EXPECT_EQ(ask("/nothing").status, 404);
  EXPECT_EQ(ask("/api/overview", "POST").status, 405);
  EXPECT_EQ(ask("/api/overview", "POST").header("allow"), "GET, HEAD");
}

TEST_F(AdminTest, TellsThoseWhoWatchOfCalls) {
  EXPECT_FALSE(spy_.watched());
  http_test::Client all(port_);
  all.send("GET /api/spy HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
  EXPECT_THAT(all.read_until("\r\n\n"), HasSubstr("application/x-ndjson"));
  http_test::Client some(port_);
  some.send("GET /api/spy?component=other HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
  some.read_until("\r\n\n");
  EXPECT_TRUE(spy_.watched());
  for (std::string_view component : {"cart", "other"}) {
    SpiedCall call{.app = "shop", .component = std::string(component), .name = "f"};
    loops_[0].post([this, call] { spy_.add(call); });
  }
  EXPECT_THAT(all.read_until("\"other\""), HasSubstr("\"component\":\"cart\""));
  EXPECT_THAT(some.read_until("\"other\""), Not(HasSubstr("cart")));
  all.close();
  some.close();
  // Nothing is paid for who is gone.
  auto end = Deadline::after(http_test::kPatience);
  while (spy_.watched() && !end.passed()) ask("/healthz");
  EXPECT_FALSE(spy_.watched());
}

TEST_F(AdminTest, LetsOnlySoManyWatch) {
  std::vector<std::unique_ptr<http_test::Client>> watching;
  for (std::size_t i = 0; i < kSpiesMax; ++i) {
    watching.push_back(std::make_unique<http_test::Client>(port_));
    watching.back()->send("GET /api/spy HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    watching.back()->read_until("\r\n\n");
  }
  EXPECT_EQ(ask("/api/spy").status, 503);
  http_test::Client page(port_);
  EXPECT_EQ(page.request("GET /api/spy HTTP/1.1\r\nhost: 127.0.0.1\r\n"
                         "sec-fetch-site: cross-site\r\n\r\n")
                .status,
            403);
}

// Who is told of more than is kept loses lines and is told how many, and so is who takes nothing.
TEST_F(AdminTest, TellsASlowWatcherWhatItLost) {
  http_test::Client slow(port_, 4096);
  slow.send("GET /api/spy HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
  slow.read_until("\r\n\n");
  SpiedCall call{.app = std::string(4'000, 'a'), .component = "cart", .name = "f"};
  for (int i = 0; i < 5'000; ++i) spy_.add(call);
  EXPECT_EQ(ask("/healthz").status, 200);
  std::string read = slow.read_until("\"lost\":");
  EXPECT_THAT(read, ::testing::EndsWith("\"lost\":"));
  EXPECT_LT(read.size(), 5'000U * 4'000);
}

TEST_F(AdminTest, HasCallsMadeAndAnswersWithTheirEnd) {
  http_test::Response done = call("shop/cart");
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(done.body, "{\"result\":\"f(1) 7\"}");
  http_test::Response trapped = call("trap");
  EXPECT_EQ(trapped.status, 500);
  EXPECT_EQ(trapped.body, "{\"error\":\"it \\\"trapped\\\"\",\"kind\":\"trap\"}");
  EXPECT_EQ(ask("/api/call").header("allow"), "POST");
}

// Lines come before the result, which is the last of them; what a client could not be kept for is
// lost, and whoever tells it knows.
TEST_F(AdminTest, AnswersWithLinesWhereACallTellsThem) {
  auto tail = [&](std::string lines) {
    AdminCall wish{.target = "shop/b", .function = "tail", .arguments = std::move(lines)};
    wish.capability = "messaging";
    std::string body = wish.write();
    return http_test::Client(port_).request(
        fmt::format("POST /api/call HTTP/1.1\r\nhost: 127.0.0.1\r\nx-weft-call: 1\r\n"
                    "content-type: application/json\r\ncontent-length: {}\r\n\r\n{}",
                    body.size(), body));
  };
  http_test::Response response = tail("3");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(calls_.lost, 0);
  std::string last = "{\"result\":\"tail 0\"}\n";
  EXPECT_TRUE(response.body.starts_with("0...")) << response.body.substr(0, 80);
  EXPECT_TRUE(response.body.ends_with("\n" + last));
  EXPECT_EQ(response.body.size(), 3 * 1'026 + last.size());
  // None of them is on the wire before the last one was told.
  response = tail("9000");
  EXPECT_GT(calls_.lost, 0);
  EXPECT_TRUE(response.body.ends_with("\n" + last));
  EXPECT_LT(response.body.size(), 9'000 * 1'026U);
}

TEST_F(AdminTest, HasNoCallsMadeForWhomTheyAreNot) {
  EXPECT_EQ(call("shop/cart", "sec-fetch-site: cross-site\r\n").status, 403);
  EXPECT_EQ(call("shop/cart", "", "evil.example.com").status, 403);
  http_test::Client plain(port_);
  EXPECT_EQ(plain
                .request("POST /api/call HTTP/1.1\r\nhost: 127.0.0.1\r\nx-weft-call: 1\r\n"
                         "content-type: text/plain\r\ncontent-length: 2\r\n\r\n--")
                .status,
            403);
  calls_.allowed = false;
  EXPECT_EQ(call("shop/cart").status, 403);
  std::lock_guard hold(calls_.mutex);
  EXPECT_EQ(calls_.begun, 0U);
}

// So many run; a client that goes stops its call, and there is room again.
TEST_F(AdminTest, HasOnlySoManyCallsMadeAtOnce) {
  std::vector<std::unique_ptr<http_test::Client>> waiting;
  for (std::size_t i = 0; i < kAdminCallsMax; ++i) {
    waiting.push_back(std::make_unique<http_test::Client>(port_));
    waiting.back()->send(call_of("held"));
  }
  auto end = Deadline::after(http_test::kPatience);
  while (calls_.held_now() < kAdminCallsMax && !end.passed()) ask("/healthz");
  EXPECT_EQ(call("shop/cart").status, 503);
  waiting.back()->reset();
  while (call("shop/cart").status != 200 && !end.passed()) continue;
  EXPECT_EQ(calls_.held_now(), kAdminCallsMax - 1);
}

// A page from elsewhere whose name was made to lead here gets nothing.
TEST_F(AdminTest, AnswersToNamesOfThisMachineAlone) {
  EXPECT_EQ(ask("/api/overview", "GET", "localhost:9090").status, 200);
  EXPECT_EQ(ask("/api/overview", "GET", "[::1]:9090").status, 200);
  EXPECT_EQ(ask("/api/overview", "GET", "evil.example.com").status, 403);
  EXPECT_EQ(ask("/metrics", "GET", "127.0.0.1.example.com").status, 403);
}

}  // namespace
}  // namespace weft
