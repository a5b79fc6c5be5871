// Shows how spans are exported: their form as OTLP has it, endpoints as people write them, batches
// that are sent again or dropped, and what is counted.

#include "observe/otlp.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "io/http/test_support.h"

namespace weft {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

Span a_span() {
  Deadline::Clock::time_point at{std::chrono::seconds(5)};
  return {.context = {.trace_high = 1, .trace_low = 2, .parent = 3, .span = 4, .flags = 1},
          .kind = Span::Kind::kServer,
          .name = "GET /cart/...",
          .began = at,
          .ended = at + std::chrono::milliseconds(20),
          .error = "status 500",
          .attributes = {{"http.response.status_code", "500"}, {"weft.app", "shop"}}};
}

TEST(Otlp, WritesWhatTheStandardHas) {
  json::value out = json::parse(otlp_json({a_span()}, std::chrono::seconds(100)));
  const json::object& span = out.at_pointer("/resourceSpans/0/scopeSpans/0/spans/0").as_object();
  EXPECT_EQ(span.at("traceId").as_string(), "00000000000000010000000000000002");
  EXPECT_EQ(span.at("spanId").as_string(), "0000000000000004");
  EXPECT_EQ(span.at("parentSpanId").as_string(), "0000000000000003");
  EXPECT_EQ(span.at("kind").as_int64(), 2);
  EXPECT_EQ(span.at("startTimeUnixNano").as_string(), "105000000000");
  EXPECT_EQ(span.at("endTimeUnixNano").as_string(), "105020000000");
  EXPECT_EQ(span.at("status").at("code").as_int64(), 2);
  EXPECT_EQ(out.at_pointer("/resourceSpans/0/scopeSpans/0/spans/0/attributes/0/value/intValue")
                .as_string(),
            "500");
  EXPECT_EQ(out.at_pointer("/resourceSpans/0/resource/attributes/0/key").as_string(),
            "service.name");
}

TEST(Otlp, ARootHasNoParent) {
  Span span = a_span();
  span.context.parent = 0;
  EXPECT_THAT(otlp_json({span}, {}), ::testing::Not(HasSubstr("parentSpanId")));
}

TEST(Otlp, TakesEndpointsAsPeopleWriteThem) {
  EXPECT_EQ(*otlp_endpoint("http://127.0.0.1:4318"), "http://127.0.0.1:4318/v1/traces");
  EXPECT_EQ(*otlp_endpoint("http://127.0.0.1:4318/"), "http://127.0.0.1:4318/v1/traces");
  EXPECT_EQ(*otlp_endpoint("https://otel.example.com/some/where"),
            "https://otel.example.com/some/where");
  for (std::string_view wrong : {"", "127.0.0.1:4318", "ftp://x", "http://", "http:///v1"}) {
    EXPECT_FALSE(otlp_endpoint(wrong)) << wrong;
  }
}

// An endpoint that answers what the test says, and what it got.
class Endpoint {
 public:
  explicit Endpoint(int status) : status_(status) {}
  std::string url() const { return fmt::format("{}v1/traces", server_.server->url()); }
  http_test::Mailbox<std::string> got;

 private:
  // Reads the whole body, then answers.
  struct Reading final : ExchangeEvents {
    Reading(Endpoint& its_endpoint, HttpExchange::Ptr its_exchange)
        : endpoint(its_endpoint), exchange(std::move(its_exchange)) {
      exchange->listen(this);
    }
    void on_body_ready() override { go_on(); }
    void on_gone() override {}
    void go_on() {
      std::uint8_t piece[4096];
      while (std::size_t count = exchange->read_body(piece)) {
        body.append(reinterpret_cast<const char*>(piece), count);
      }
      if (exchange->body_state() == BodyState::kMore) return;
      exchange->listen(nullptr);
      if (exchange->begin_response(endpoint.status_, {}, 2)) {
        exchange->write(as_bytes("{}"));
        exchange->finish();
      }
      exchange.reset();
      endpoint.got.put(body);
    }
    Endpoint& endpoint;
    HttpExchange::Ptr exchange;
    std::string body;
  };

  std::atomic<int> status_;
  std::deque<Reading> readings_;
  http_test::TestServer server_{[this](HttpExchange::Ptr exchange) {
    readings_.emplace_back(*this, std::move(exchange)).go_on();
  }};
};

// An exporter on a loop of its own.
class Exporting {
 public:
  explicit Exporting(const std::string& url) {
    loops_.on_each([&](Loop& loop, std::size_t) {
      exporter = std::make_unique<OtlpExporter>(loop, HttpClientOptions(), url);
    });
  }
  ~Exporting() {
    loops_.on_each([&](Loop&, std::size_t) { exporter.reset(); });
  }
  std::unique_ptr<OtlpExporter> exporter;

 private:
  Loops loops_{{.count = 1}};
};

TEST(OtlpExporter, SendsBatchesInOrder) {
  Endpoint endpoint(200);
  Exporting exporting(endpoint.url());
  for (std::string name : {"first", "second"}) {
    Span span = a_span();
    span.name = name;
    std::vector<Span> batch;
    batch.push_back(std::move(span));
    EXPECT_TRUE(exporting.exporter->take(std::move(batch)));
  }
  exporting.exporter->drain(Deadline::after(http_test::kPatience));
  EXPECT_EQ(exporting.exporter->exported(), 2U);
  EXPECT_THAT(*endpoint.got.take(), HasSubstr("\"first\""));
  EXPECT_THAT(*endpoint.got.take(), HasSubstr("\"second\""));
}

TEST(OtlpExporter, DropsWhatTheEndpointRefuses) {
  Endpoint endpoint(400);
  Exporting exporting(endpoint.url());
  EXPECT_TRUE(exporting.exporter->take({a_span(), a_span()}));
  exporting.exporter->drain(Deadline::after(http_test::kPatience));
  EXPECT_EQ(exporting.exporter->exported(), 0U);
  EXPECT_EQ(exporting.exporter->dropped(), 2U);
  EXPECT_TRUE(endpoint.got.take());
  EXPECT_TRUE(endpoint.got.empty());
}

TEST(OtlpExporter, TriesAgainWhereItMayHelp) {
  Endpoint endpoint(503);
  Exporting exporting(endpoint.url());
  EXPECT_TRUE(exporting.exporter->take({a_span()}));
  exporting.exporter->drain(Deadline::after(http_test::kPatience));
  EXPECT_EQ(exporting.exporter->dropped(), 1U);
  for (unsigned i = 0; i < kExportTries; ++i) EXPECT_TRUE(endpoint.got.take());
  EXPECT_TRUE(endpoint.got.empty());
}

// An endpoint that is not there holds nobody up: what is too much is refused at once.
TEST(OtlpExporter, BoundsWhatWaits) {
  Exporting exporting("http://127.0.0.1:9/v1/traces");
  std::size_t taken = 0;
  for (std::size_t i = 0; i < 2 * kBatchesMax; ++i) {
    if (exporting.exporter->take({a_span()})) ++taken;
  }
  EXPECT_EQ(taken, kBatchesMax);
}

}  // namespace
}  // namespace weft
