// Shows that whatever mix of requests, slices and serving habits comes along, each request gets its
// own whole answer, in order. The seed is printed; WEFT_SEED sets it.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <random>
#include <thread>

#include "io/http/server.h"
#include "io/http/test_support.h"

namespace weft {
namespace {

using namespace http_test;

// Serves "/<habit>/<delay>/<number>": each habit is a way in which a serving side may behave.
class Habit final : public ExchangeEvents {
 public:
  static void start(HttpExchange::Ptr exchange) {
    std::string_view path = exchange->request().path;
    char habit = path[1];
    if (habit == 'e') return Echo::start(std::move(exchange));
    if (habit == 'i') return answer(*exchange, 200, path);
    (new Habit(std::move(exchange), habit, path[3] - '0'))->step();
  }

 private:
  Habit(HttpExchange::Ptr exchange, char habit, int delay)
      : exchange_(std::move(exchange)), habit_(habit), delay_(delay) {
    exchange_->listen(this);
  }
  void on_body_ready() override { step(); }
  void on_gone() override { ADD_FAILURE() << "the client is still there"; }

  void step() {
    if (habit_ == 'r' || habit_ == 'p') {
      std::array<std::uint8_t, 1000> room;
      while (std::size_t count = exchange_->read_body(room)) {
        read_ += count;
        if (habit_ == 'p') break;
      }
      if (exchange_->body_state() == BodyState::kMore && (habit_ == 'r' || read_ == 0)) return;
    }
    if (delay_ > 0) return later();
    std::string_view path = exchange_->request().path;
    if (habit_ == 's' || habit_ == 't') {
      // Streams, one character a turn; 't' says how much it will be.
      if (sent_ == 0) {
        std::optional<std::uint64_t> length;
        if (habit_ == 't') length = path.size();
        ASSERT_TRUE(exchange_->begin_response(200, {}, length));
      }
      exchange_->write(as_bytes(path.substr(sent_++, 1)));
      if (sent_ < path.size()) return later();
      exchange_->finish();
    } else {
      answer(*exchange_, 200, habit_ == 'r' ? fmt::format("{}", read_) : std::string(path));
    }
    delete this;
  }
  // Meanwhile nobody listens, so that body events cannot step it twice.
  void later() {
    exchange_->listen(nullptr);
    if (delay_ > 0) --delay_;
    exchange_->loop().post([this] {
      exchange_->listen(this);
      step();
    });
  }

  HttpExchange::Ptr exchange_;
  const char habit_;
  int delay_;
  std::uint64_t read_ = 0;
  std::size_t sent_ = 0;
};

struct Exchange {
  std::string request;
  std::string expected;
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::size_t below(std::size_t bound) { return engine_() % bound; }

 private:
  std::mt19937_64 engine_;
};

Exchange make_exchange(Random& random, int number) {
  char habit = "eeirpst"[random.below(7)];
  std::string path = fmt::format("/{}/{}/{}", habit, random.below(4), number);
  std::size_t size = random.below(4) == 0 ? 0 : random.below(3000);
  if (random.below(20) == 0) size = random.below(200'000);
  std::string body;
  for (std::size_t i = 0; i < size; ++i) body += static_cast<char>('a' + (i * 7 + number) % 26);
  Exchange exchange;
  exchange.expected = habit == 'e' ? body : habit == 'r' ? fmt::format("{}", size) : path;
  std::string& request = exchange.request;
  if (random.below(5) == 0) request += "\r\n";
  request += fmt::format("POST {} HTTP/1.1\r\nHost: a\r\n", path);
  if (random.below(10) == 0)
    request += fmt::format("X: {}\r\n", std::string(random.below(5000), 'x'));
  if (random.below(2) == 0) {
    request += fmt::format("Content-Length: {}\r\n\r\n", size) + body;
    return exchange;
  }
  request += "Transfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < size;) {
    std::size_t part = std::min(size - at, 1 + random.below(random.below(2) == 0 ? 5 : 20'000));
    request += fmt::format("{:x}{}\r\n", part, random.below(8) == 0 ? ";q=1" : "");
    request += body.substr(at, part) + "\r\n";
    at += part;
  }
  request += random.below(4) == 0 ? "0\r\nX-Sum: 7\r\n\r\n" : "0\r\n\r\n";
  return exchange;
}

TEST(HttpRandom, EveryRequestGetsItsOwnAnswer) {
  std::uint64_t seed = std::random_device{}();
  if (const char* given = std::getenv("WEFT_SEED")) seed = std::strtoull(given, nullptr, 10);
  SCOPED_TRACE(fmt::format("WEFT_SEED={}", seed));
  Random random(seed);
  TestServer server(Habit::start, {}, 2);
  for (int round = 0; round < 40; ++round) {
    std::vector<Exchange> exchanges;
    std::string bytes;
    for (int i = 0; i < 25; ++i) {
      exchanges.push_back(make_exchange(random, i));
      bytes += exchanges.back().request;
    }
    Client client(*server.server);
    std::size_t slice = random.below(3) == 0 ? 1 + random.below(40) : 1 + random.below(50'000);
    std::uint64_t sender_seed = seed + static_cast<unsigned>(round);
    std::jthread sender([&] {
      Random slices(sender_seed);
      for (std::size_t at = 0; at < bytes.size();) {
        // Small slices only at first: a large body in slices of a byte takes for ever.
        std::size_t count = 1 + slices.below(at < 20'000 ? slice : 60'000);
        if (!client.send(std::string_view(bytes).substr(at, count))) return;
        at += count;
      }
    });
    for (std::size_t i = 0; i < exchanges.size(); ++i) {
      Response response = client.read_response();
      EXPECT_EQ(response.status, 200) << "round " << round << " request " << i;
      EXPECT_EQ(response.body.size(), exchanges[i].expected.size());
      ASSERT_TRUE(response.body == exchanges[i].expected)
          << "round " << round << " request " << i << ": " << exchanges[i].request.substr(0, 100);
    }
    sender.join();
    for (std::size_t i = 0; i < exchanges.size(); ++i) {
      auto done = server.done.take();
      ASSERT_TRUE(done);
      EXPECT_EQ(done->end, ExchangeSummary::End::kWhole);
    }
  }
}

}  // namespace
}  // namespace weft
