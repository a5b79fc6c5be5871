// Shows what `weft top` makes of a host's answer: every table, names that are kept from the
// terminal's controls, screens that are too small, and answers of other versions.

#include "observe/top_screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "observe/api.h"

namespace weft {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string overview() {
  LoopMetrics loop;
  RouteMeter& route = loop.route("shop", "cart", "/cart/...");
  route.begun.add(12);
  route.answered[2].add(10);
  route.answered[5].add(2);
  route.time.observe(std::chrono::milliseconds(30));
  loop.component("shop", "cart").traps.add(2);
  loop.calls("shop", "cart", "keyvalue", "embedded").calls.add(77);
  Totals totals;
  loop.add_to(totals);
  return overview_json(totals, {.urls = {"http://127.0.0.1:8080/"}, .loops = 2}, {}, {});
}

TEST(TopScreen, ShowsEachTable) {
  std::string screen = *top_screen(overview(), {});
  EXPECT_THAT(screen, HasSubstr("serving  http://127.0.0.1:8080/"));
  EXPECT_THAT(screen, HasSubstr("traps 2"));
  EXPECT_THAT(screen, ::testing::ContainsRegex("shop +/cart/\\.\\.\\. +cart +12 +0 +10 +0 +2"));
  EXPECT_THAT(screen, ::testing::ContainsRegex("shop +cart +keyvalue +embedded +77 +0"));
}

TEST(TopScreen, FitsTheTerminal) {
  std::string screen = *top_screen(overview(), {.columns = 30, .rows = 6});
  EXPECT_LE(std::ranges::count(screen, '\n'), 6);
  EXPECT_THAT(screen, HasSubstr("more lines"));
  std::size_t at = 0;
  while (at < screen.size()) {
    std::size_t end = screen.find('\n', at);
    EXPECT_LE(end - at, 30U);
    at = end + 1;
  }
}

TEST(TopScreen, KeepsControlCharactersOut) {
  std::string screen = *top_screen(R"({"version":"\u001b[31mred","urls":[]})", {});
  EXPECT_THAT(screen, Not(HasSubstr("\x1b")));
  EXPECT_THAT(screen, HasSubstr("?[31mred"));
}

TEST(TopScreen, BearsAnswersOfOtherVersions) {
  EXPECT_TRUE(top_screen("{}", {}));
  EXPECT_TRUE(top_screen(R"({"routes":[1,{"app":2}],"now":[],"totals":3,"calls":"x"})", {}));
  EXPECT_FALSE(top_screen("<html>", {}));
  EXPECT_FALSE(top_screen("[]", {}));
}

}  // namespace
}  // namespace weft
