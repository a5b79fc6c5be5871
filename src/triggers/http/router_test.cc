// Shows which of several routes a request goes to, and what is said about routes that cannot be.

#include "triggers/http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

RouteTable table_of(const std::vector<Route>& routes) {
  auto table = RouteTable::make(routes);
  EXPECT_TRUE(table) << table.error().message();
  return std::move(*table);
}

// The path of the route that was found, or "404", or "405 <Allow>".
std::string where(const std::vector<Route>& routes, std::string_view path,
                  std::string_view method = "GET", std::string_view host = "a.test") {
  RouteTable table = table_of(routes);
  RouteMatch match = table.find(host, path, method);
  if (auto* found = std::get_if<RouteFound>(&match)) {
    return routes[found->index].host + routes[found->index].path;
  }
  if (auto* refused = std::get_if<RouteMethodNotAllowed>(&match)) return "405 " + refused->allow;
  return "404";
}

TEST(RouteTable, MatchesExactPathsPrefixesAndParameters) {
  std::vector<Route> routes = {
      {"", "/x", {}}, {"", "/y/", {}}, {"", "/users/:id", {}}, {"", "/files/...", {}}};
  EXPECT_EQ(where(routes, "/x"), "/x");
  EXPECT_EQ(where(routes, "/x?query=/y/"), "/x");
  EXPECT_EQ(where(routes, "/x/"), "404");
  EXPECT_EQ(where(routes, "/X"), "404");
  EXPECT_EQ(where(routes, "/y"), "404");
  EXPECT_EQ(where(routes, "/y/"), "/y/");
  EXPECT_EQ(where(routes, "/users/7"), "/users/:id");
  EXPECT_EQ(where(routes, "/users/"), "404");
  EXPECT_EQ(where(routes, "/users/7/8"), "404");
  EXPECT_EQ(where(routes, "/files"), "/files/...");
  EXPECT_EQ(where(routes, "/files/"), "/files/...");
  EXPECT_EQ(where(routes, "/files//a/b"), "/files/...");
  EXPECT_EQ(where(routes, "/filesystem"), "404");
  EXPECT_EQ(where(routes, "/"), "404");
  EXPECT_EQ(where(routes, "*", "OPTIONS"), "404");
  EXPECT_EQ(where(routes, ""), "404");
}

TEST(RouteTable, PrefersTheMostSpecific) {
  std::vector<Route> routes = {
      {"", "/...", {}},           {"", "/a/...", {}},         {"", "/a/b/...", {}},
      {"", "/a/:x", {}},          {"", "/a/b", {}},           {"", "/a/:x/c", {}},
      {"", "/a/:x/d/...", {}},    {"", "/:any/z/...", {}},    {"shop.test", "/...", {}},
      {"shop.test", "/a/:x", {}}, {"shop.test", "/:p/c", {}}, {"", "/", {}}};
  EXPECT_EQ(where(routes, "/"), "/");
  EXPECT_EQ(where(routes, "/q"), "/...");
  EXPECT_EQ(where(routes, "/a"), "/a/...");
  EXPECT_EQ(where(routes, "/a/b"), "/a/b");
  EXPECT_EQ(where(routes, "/a/q"), "/a/:x");
  EXPECT_EQ(where(routes, "/a/b/q"), "/a/b/...");
  // A whole path with a parameter is before a prefix, however long its literals are.
  EXPECT_EQ(where(routes, "/a/b/c"), "/a/:x/c");
  EXPECT_EQ(where(routes, "/a/b/d/e"), "/a/:x/d/...");
  EXPECT_EQ(where(routes, "/a/z/e"), "/:any/z/...");
  EXPECT_EQ(where(routes, "/a/b", "GET", "shop.test"), "shop.test/a/:x");
  EXPECT_EQ(where(routes, "/a/b/c", "GET", "shop.test"), "shop.test/...");
  EXPECT_EQ(where(routes, "/q/c", "GET", "shop.test"), "shop.test/:p/c");
}

TEST(RouteTable, ComparesHostsWithoutCaseAndPort) {
  std::vector<Route> routes = {{"Shop.Test", "/", {}}, {"[::1]", "/v6", {}}, {"", "/any", {}}};
  for (std::string_view host : {"shop.test", "SHOP.test:8080", "shop.test."}) {
    EXPECT_EQ(where(routes, "/", "GET", host), "Shop.Test/") << host;
    EXPECT_EQ(where(routes, "/any", "GET", host), "/any") << host;
  }
  EXPECT_EQ(where(routes, "/v6", "GET", "[::1]:443"), "[::1]/v6");
  for (std::string_view host : {"", "test", "xshop.test", "shop.test.evil", ":80", "["}) {
    EXPECT_EQ(where(routes, "/", "GET", host), "404") << host;
  }
}

// The methods of all routes that match the path decide between 405 and a less specific route.
TEST(RouteTable, ChoosesByMethod) {
  std::vector<Route> routes = {{"", "/a", {"GET"}},
                               {"", "/a", {"POST", "PUT"}},
                               {"", "/:x", {"DELETE"}},
                               {"", "/b", {"GET"}},
                               {"", "/b", {}}};
  RouteTable table = table_of(routes);
  auto index = [&](std::string_view path, std::string_view method) {
    RouteMatch match = table.find("", path, method);
    auto* found = std::get_if<RouteFound>(&match);
    return found != nullptr ? static_cast<int>(found->index) : -1;
  };
  EXPECT_EQ(index("/a", "GET"), 0);
  EXPECT_EQ(index("/a", "HEAD"), 0);
  EXPECT_EQ(index("/a", "PUT"), 1);
  EXPECT_EQ(index("/a", "DELETE"), 2);
  EXPECT_EQ(index("/b", "HEAD"), 3);
  EXPECT_EQ(index("/b", "POST"), 4);
  EXPECT_EQ(where(routes, "/a", "PATCH"), "405 DELETE, GET, HEAD, POST, PUT");
  EXPECT_EQ(where(routes, "/a", "get"), "405 DELETE, GET, HEAD, POST, PUT");
  EXPECT_EQ(where(routes, "/q", "GET"), "405 DELETE");
  EXPECT_EQ(where({{"", "/a", {"HEAD"}}, {"", "/...", {"GET"}}}, "/a", "HEAD"), "/a");
}

TEST(RouteTable, GivesParametersAsTheyCame) {
  RouteTable table = table_of({{"", "/:a/x/:b/...", {}}, {"", "/w/:a/q/:b", {}}});
  RouteMatch match = table.find("", "/1%20/x/%2F2/rest", "GET");
  ASSERT_TRUE(std::holds_alternative<RouteFound>(match));
  EXPECT_THAT(std::get<RouteFound>(match).params,
              ElementsAre(RouteParam{"a", "1%20"}, RouteParam{"b", "%2F2"}));
  // What was tried and given up on leaves nothing behind.
  match = table.find("", "/w/x/q/2/3", "GET");
  EXPECT_THAT(std::get<RouteFound>(match).params,
              ElementsAre(RouteParam{"a", "w"}, RouteParam{"b", "q"}));
  match = table.find("", "/w/x/q/2", "GET");
  EXPECT_THAT(std::get<RouteFound>(match).params,
              ElementsAre(RouteParam{"a", "x"}, RouteParam{"b", "2"}));
}

// An escape neither hides a path from its route nor climbs out of one.
TEST(RouteTable, SeesThroughEscapes) {
  std::vector<Route> routes = {
      {"", "/admin", {}}, {"", "/a%20b/:x", {}}, {"", "/%3Ax", {}}, {"", "/...", {}}};
  EXPECT_EQ(where(routes, "/%61dmin"), "/admin");
  EXPECT_EQ(where(routes, "/a%20b/1"), "/a%20b/:x");
  EXPECT_EQ(where(routes, "/:x"), "/%3Ax");
  EXPECT_EQ(where(routes, "/admin%2F"), "/...");
  EXPECT_EQ(where(routes, "/100%"), "/...");
  EXPECT_EQ(where(routes, "/.well-known/x"), "/...");
  for (std::string_view path :
       {"/x/../admin", "/..", "/./admin", "/x/%2e%2E/admin", "/.%2e/a", "/a%20b/..", "/%2e"}) {
    EXPECT_EQ(where(routes, path), "404") << path;
  }
}

TEST(RouteTable, RefusesWhatCannotBeMeant) {
  const std::pair<Route, std::string_view> cases[] = {
      {{"", "x", {}}, "begins with '/'"},
      {{"", "", {}}, "begins with '/'"},
      {{"", "/x/*", {}}, "write /x/... for all below"},
      {{"", "/{id}", {}}, "written :name"},
      {{"", "/x...", {}}, "stands alone"},
      {{"", "/.../x", {}}, "nothing comes after it"},
      {{"", "/a//b", {}}, "two slashes"},
      {{"", "/a/../b", {}}, "match nothing"},
      {{"", "/a?b", {}}, "a path alone"},
      {{"", "/a b", {}}, "a space"},
      {{"", "/a%2", {}}, "%25"},
      {{"", "/:", {}}, "is not a parameter"},
      {{"", "/:a/:a", {}}, "two parameters :a"},
      {{"http://a", "/", {}}, "leave out scheme"},
      {{"a:80", "/", {}}, "leave out the port"},
      {{"*.a", "/", {}}, "cannot stand in a host"},
      {{"", "/", {"get"}}, "in capitals"},
      {{"", "/", {"GET", "GET"}}, "named twice"}};
  for (const auto& [route, message] : cases) {
    auto table = RouteTable::make({&route, 1});
    ASSERT_FALSE(table) << route.path;
    EXPECT_EQ(table.error().code(), Errc::kInvalid);
    EXPECT_THAT(table.error().message(), HasSubstr(message));
  }
}

// All that is wrong is told at once, and a conflict names both.
TEST(RouteTable, TellsConflicts) {
  std::vector<Route> routes = {{"", "/a/:x", {"GET", "PUT"}},
                               {"", "/a/:y", {"POST"}},
                               {"", "/a/:z", {"PUT"}},
                               {"", "/b", {}},
                               {"b.test", "/b", {}},
                               {"", "/%62", {}},
                               {"", "/b/...", {}},
                               {"", "/b/:x", {}},
                               {"B.test", "/b", {"GET"}},
                               {"", "/bad//", {}}};
  auto problems = RouteTable::problems(routes);
  ASSERT_THAT(problems, SizeIs(3));
  EXPECT_EQ(problems[0].index, 2u);
  EXPECT_EQ(problems[0].other, 0u);
  EXPECT_THAT(problems[0].message, HasSubstr("/a/:x (GET, PUT) and route /a/:z (PUT)"));
  EXPECT_EQ(problems[1].index, 5u);
  EXPECT_EQ(problems[1].other, 3u);
  EXPECT_EQ(problems[2].index, 9u);
  EXPECT_EQ(problems[2].other, std::nullopt);
}

}  // namespace
}  // namespace weft
