// Shows the text that Prometheus reads: families, labels that are escaped, histograms that add up.

#include "observe/prometheus.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "door/link_notes.h"

namespace weft {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string text_of(const LoopMetrics& loop, const HostFacts& facts = {}) {
  Totals totals;
  loop.add_to(totals);
  return prometheus_text(totals, facts, {});
}

TEST(Prometheus, WritesRequestsByRouteAndStatus) {
  LoopMetrics loop;
  RouteMeter& meter = loop.route("shop", "cart", "/cart/...");
  meter.begun.add(3);
  meter.answered[2].add(2);
  meter.time.observe(std::chrono::microseconds(30));
  meter.time.observe(std::chrono::milliseconds(3));
  std::string text = text_of(loop);
  EXPECT_THAT(text, HasSubstr("# TYPE weft_http_requests_total counter\n"));
  EXPECT_THAT(text, HasSubstr("weft_http_requests_total{app=\"shop\",component=\"cart\","
                              "route=\"/cart/...\",status=\"2xx\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("weft_http_requests_in_flight{app=\"shop\",component=\"cart\","
                              "route=\"/cart/...\"} 1\n"));
  std::string series =
      "weft_http_request_duration_seconds_bucket{app=\"shop\",component=\"cart\","
      "route=\"/cart/...\",le=";
  EXPECT_THAT(text, HasSubstr(series + "\"2e-05\"} 0\n"));
  EXPECT_THAT(text, HasSubstr(series + "\"5e-05\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(series + "\"0.005\"} 2\n"));
  EXPECT_THAT(text, HasSubstr(series + "\"+Inf\"} 2\n"));
  EXPECT_THAT(text, Not(HasSubstr("\"1.5e-05\"")));
  EXPECT_THAT(text,
              HasSubstr("_sum{app=\"shop\",component=\"cart\",route=\"/cart/...\"} 0.00303\n"));
}

TEST(Prometheus, EscapesLabels) {
  LoopMetrics loop;
  loop.component("a\"b\\c\nd", "x").traps.add();
  EXPECT_THAT(text_of(loop),
              HasSubstr(R"(weft_guest_traps_total{app="a\"b\\c\nd",component="x"} 1)"));
}

TEST(Prometheus, WritesEachLimitAndCapability) {
  LoopMetrics loop;
  loop.component("a", "b").limits[static_cast<std::size_t>(LimitKind::kMemory)].add(4);
  loop.calls("a", "b", "keyvalue", "embedded").calls.add(7);
  std::string text = text_of(loop);
  EXPECT_THAT(text,
              HasSubstr("weft_guest_limits_total{app=\"a\",component=\"b\",limit=\"memory\"} 4\n"));
  EXPECT_THAT(text,
              HasSubstr("weft_guest_limits_total{app=\"a\",component=\"b\",limit=\"cpu\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("weft_capability_calls_total{app=\"a\",component=\"b\","
                              "capability=\"keyvalue\",driver=\"embedded\"} 7\n"));
}

TEST(Prometheus, TellsOfLinksWhatTheirLayersDid) {
  LoopMetrics loop;
  loop.calls("a", "b", "acme:ml/inference", "provider ml")
      .events[static_cast<std::size_t>(LinkEvent::kHit)]
      .add(5);
  loop.calls("a", "b", "keyvalue", "embedded").calls.add(7);
  std::string text = text_of(loop);
  constexpr std::string_view kLabels =
      "{app=\"a\",component=\"b\",capability=\"acme:ml/inference\",driver=\"provider ml\",";
  auto lookups = [&](std::string_view outcome, int count) {
    return fmt::format("weft_link_cache_lookups_total{}outcome=\"{}\"}} {}\n", kLabels, outcome,
                       count);
  };
  EXPECT_THAT(text, HasSubstr(lookups("hit", 5)));
  EXPECT_THAT(text, HasSubstr(lookups("joined", 0)));
  EXPECT_THAT(text, Not(HasSubstr("weft_link_waits_total{")));
  EXPECT_THAT(text, Not(::testing::ContainsRegex("weft_link[^\n]*keyvalue")));
}

// Each family is announced once, and each line is a comment or a sample.
TEST(Prometheus, WritesWhatIsSeenOfServers) {
  HostFacts facts;
  facts.servers = {
      {.capability = "keyvalue",
       .name = "carts",
       .driver = "redis",
       .server = "cache:6379",
       .asked = true,
       .up = true,
       .losses = 1,
       .answered = 4,
       .unanswered = 2,
       .time = std::chrono::milliseconds(8)},
      {.capability = "sql", .name = "idle", .driver = "postgres", .server = "db:5432"}};
  std::string text = prometheus_text({}, facts, {});
  std::string labels = R"({capability="keyvalue",name="carts",driver="redis",server="cache:6379")";
  EXPECT_THAT(text, HasSubstr("weft_server_up" + labels + "} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr(R"(weft_server_up{capability="sql")")));
  EXPECT_THAT(text, HasSubstr("weft_server_losses_total" + labels + "} 1\n"));
  EXPECT_THAT(text, HasSubstr("weft_server_requests_total" + labels + R"(,outcome="answered"} 4)"));
  EXPECT_THAT(text,
              HasSubstr("weft_server_requests_total" + labels + R"(,outcome="unanswered"} 2)"));
  EXPECT_THAT(text, HasSubstr("weft_server_request_duration_seconds_sum" + labels + "} 0.008\n"));
  EXPECT_THAT(text, HasSubstr("weft_server_request_duration_seconds_count" + labels + "} 4\n"));
  EXPECT_THAT(prometheus_text({}, {}, {}), Not(HasSubstr("weft_server_up")));
}

TEST(Prometheus, IsWellFormed) {
  LoopMetrics loop;
  loop.route("a", "b", "/").begun.add();
  loop.component("a", "b").traps.add();
  loop.calls("a", "b", "c", "d").calls.add();
  loop.trigger({"a", "b", "cron", "every 1m", ""}).begun.add();
  std::string text = text_of(loop, {.programs_cached = 2});
  std::map<std::string, int> types;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = text.find('\n', at);
    ASSERT_NE(end, std::string::npos);
    std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("# TYPE ")) ++types[line.substr(7, line.find(' ', 7) - 7)];
    if (line.starts_with("#")) continue;
    EXPECT_THAT(line, ::testing::MatchesRegex("[a-z_]+(\\{.*\\})? [0-9.e+-]+"));
  }
  EXPECT_GT(types.size(), 20U);
  for (const auto& [name, count] : types) EXPECT_EQ(count, 1) << name;
  EXPECT_THAT(text, HasSubstr("weft_programs_loaded_total{cache=\"hit\"} 2\n"));
}

TEST(Prometheus, WritesWhatTriggersDidAndWhatWaits) {
  LoopMetrics loop;
  TriggerMeter& meter = loop.trigger({"shop", "mail", "message", "orders.*", "mailers"});
  RunCount runs(&meter);
  for (int i = 0; i < 6; ++i) runs.begin();
  runs.end(Result<void>());
  runs.end(RunEnd::kFailed);
  runs.end(failure(Errc::kTrap, "unreachable"));
  runs.end(failure(Errc::kTimeout, "too long"));
  runs.end(failure(Errc::kUnavailable, "no instance is free"));
  runs.give_up();
  HostFacts facts;
  facts.backlogs = {{.app = "shop", .broker = "", .group = "mailers", .messages = 7}};
  std::string text = text_of(loop, facts);
  constexpr std::string_view kLabels =
      R"({app="shop",component="mail",trigger="message",on="orders.*",group="mailers")";
  for (std::string_view outcome : {"done", "failed", "trapped", "limited", "no-room"}) {
    EXPECT_THAT(text, HasSubstr(fmt::format("weft_trigger_runs_total{},outcome=\"{}\"}} 1\n",
                                            kLabels, outcome)));
  }
  EXPECT_THAT(text, HasSubstr(fmt::format("weft_trigger_runs_in_flight{}}} 1\n", kLabels)));
  EXPECT_THAT(text, HasSubstr(fmt::format("weft_trigger_given_up_total{}}} 1\n", kLabels)));
  EXPECT_THAT(text,
              HasSubstr("weft_messages_waiting{app=\"shop\",broker=\"\",group=\"mailers\"} 7\n"));
  EXPECT_THAT(text_of({}), Not(HasSubstr("weft_trigger")));
}

}  // namespace
}  // namespace weft
