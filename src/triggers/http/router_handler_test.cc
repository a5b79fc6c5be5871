// Shows over a real socket that requests reach the handler of their route, that 404 and 405 are
// answered, and that the log names what served a request.

#include "triggers/http/router_handler.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "io/http/test_support.h"

namespace weft {
namespace {

using namespace http_test;
using ::testing::HasSubstr;

class Named final : public HttpHandler {
 public:
  explicit Named(std::string name) : name_(std::move(name)) {}
  void handle(HttpExchange::Ptr exchange) override { answer(*exchange, 200, name_); }
  void on_complete(const ExchangeSummary&) override { ++completed; }
  int completed = 0;

 private:
  std::string name_;
};

TEST(RouterHandler, SendsEachRequestToItsRoute) {
  std::string path = ::testing::TempDir() + fmt::format("/weft-access-{}.log", ::getpid());
  auto file = AccessLogFile::open(path);
  ASSERT_TRUE(file);
  std::vector<Route> routes = {{"", "/cart/...", {}}, {"", "/users/:id", {"GET", "PUT"}}};
  auto table = RouteTable::make(routes);
  ASSERT_TRUE(table);
  Loops loops({.count = 1});
  Named cart("cart");
  Named users("users");
  std::unique_ptr<AccessLog> log;
  std::unique_ptr<RouterHandler> router;
  loops.on_each([&](Loop& loop, std::size_t) {
    log = std::make_unique<AccessLog>(loop, **file);
    router = std::make_unique<RouterHandler>(
        std::make_shared<const RouteTable>(std::move(*table)),
        std::vector<RouterHandler::Target>{{"/cart/...", "cart", &cart},
                                           {"/users/:id", "accounts", &users}},
        log.get());
  });
  HttpHandler* handlers[] = {router.get()};
  auto server = HttpServer::listen(loops, handlers, {});
  ASSERT_TRUE(server);
  {
    Client client(**server);
    auto request = [&](std::string_view line) {
      return client.request(fmt::format("{} HTTP/1.1\r\nHost: a\r\n\r\n", line));
    };
    EXPECT_EQ(request("GET /cart/1").body, "cart");
    EXPECT_EQ(request("PUT /users/7").body, "users");
    Response refused = request("DELETE /users/7");
    EXPECT_EQ(refused.status, 405);
    EXPECT_EQ(refused.header("allow"), "GET, HEAD, PUT");
    Response missing = request("GET /else");
    EXPECT_EQ(missing.status, 404);
    EXPECT_EQ(missing.header("allow"), "(none)");
  }
  ASSERT_TRUE((*server)->drain(Deadline::after(kPatience)));
  server->reset();
  loops.on_each([&](Loop&, std::size_t) {
    EXPECT_EQ(router->in_flight(), 0u);
    router.reset();
    log.reset();
  });
  EXPECT_EQ(cart.completed, 1);
  EXPECT_EQ(users.completed, 1);
  std::ifstream in(path);
  std::string lines((std::istreambuf_iterator<char>(in)), {});
  std::filesystem::remove(path);
  EXPECT_EQ(std::ranges::count(lines, '\n'), 4);
  EXPECT_THAT(lines, HasSubstr(R"("version":"1.1","route":"/users/:id","component":"accounts")"));
  EXPECT_THAT(lines, HasSubstr(R"("route":"","component":"","status":405)"));
}

}  // namespace
}  // namespace weft
