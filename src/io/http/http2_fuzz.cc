// Feeds an HTTP/2 session arbitrary bytes and frames, with serving sides that answer, echo, wait,
// break off and forget: it must stay in its bounds, and every exchange must come to its end.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "io/http/http2_session.h"
#include "io/http/listener.h"
#include "io/http/parser.h"
#include "io/loop.h"

namespace weft {
namespace {

// What one serving side does until it is told that it is over.
class Serving final : public ExchangeEvents {
 public:
  enum class Way : std::uint8_t { kAnswer, kEcho, kHold, kAbort, kForget, kMuch };

  Serving(HttpExchange::Ptr exchange, Way way) : exchange_(std::move(exchange)), way_(way) {
    const RequestHead& head = exchange_->request();
    CHECK(!head.method.empty() && !head.authority.empty());
    CHECK(head.path.starts_with('/') || head.path == "*");
    for (const Header& each : head.headers) {
      CHECK(is_token(each.name) && is_field_value(each.value));
    }
    exchange_->listen(this);
    if (way_ == Way::kForget) {
      exchange_.reset();
    } else if (way_ != Way::kHold) {
      CHECK(exchange_->begin_response(200, {}, std::nullopt));
    }
    go_on();
  }

  void on_body_ready() override { go_on(); }
  void on_writable() override { go_on(); }
  void on_gone() override {
    CHECK(!told_);
    told_ = true;
    exchange_.reset();
  }
  void give_up() { exchange_.reset(); }

  void go_on() {
    static const std::string block(20'000, 'x');
    if (exchange_ == nullptr) return;
    switch (way_) {
      case Way::kAnswer: exchange_->finish(); break;
      case Way::kAbort: exchange_->abort(); break;
      case Way::kMuch:
        while (exchange_->writable() > 0) exchange_->write(as_bytes(block));
        return;
      case Way::kHold:
      case Way::kForget: return;
      case Way::kEcho:
        for (;;) {
          BytesView bytes = exchange_->body();
          CHECK(bytes.size() <= kBodyBuffer);
          if (bytes.empty()) break;
          std::size_t count = std::max<std::size_t>(bytes.size() / 2, 1);
          bool more = exchange_->write(bytes.first(count));
          exchange_->consume_body(count);
          if (!more) return;
        }
        if (exchange_->body_state() == BodyState::kMore) return;
        exchange_->finish_with_trailers(exchange_->request_trailers());
        break;
    }
    exchange_.reset();
  }

 private:
  HttpExchange::Ptr exchange_;
  const Way way_;
  bool told_ = false;
};

class Handler final : public HttpHandler {
 public:
  void handle(HttpExchange::Ptr exchange) override {
    ++handled;
    auto way = static_cast<Serving::Way>((seed + handled) % 6);
    serving.push_back(std::make_unique<Serving>(std::move(exchange), way));
  }
  void on_complete(const ExchangeSummary&) override { ++completed; }

  unsigned seed = 0;
  unsigned handled = 0;
  unsigned completed = 0;
  std::vector<std::unique_ptr<Serving>> serving;
};

std::string frame(std::uint8_t type, std::uint8_t flags, std::uint8_t stream,
                  std::string_view payload) {
  std::string out = {0,
                     static_cast<char>(payload.size() >> 8),
                     static_cast<char>(payload.size()),
                     static_cast<char>(type),
                     static_cast<char>(flags),
                     0,
                     0,
                     0,
                     static_cast<char>(stream)};
  out += payload;
  return out;
}

// Each frame of what goes out is whole and of a size that every client takes.
void check_frames(BytesView out) {
  while (!out.empty()) {
    CHECK(out.size() >= 9);
    std::size_t size = static_cast<std::size_t>(out[0]) << 16 | out[1] << 8 | out[2];
    CHECK(size <= 16'384 && out.size() >= size + 9);
    out = out.subspan(size + 9);
  }
}

class Run {
 public:
  explicit Run(unsigned seed) {
    handler_.seed = seed;
    shared_->limits.head_bytes_max = 512;
    shared_->limits.headers_max = 8;
    shared_->limits.trailer_bytes_max = 128;
    shared_->limits.body_bytes_max = 100'000;
    listener_ = std::make_shared<HttpListener>(loop_, handler_, shared_);
    session_ = std::make_unique<Http2Session>(listener_, "peer", [] {});
  }
  ~Run() {
    {
      Loop::Turn turn(loop_);
      session_.reset();
      for (auto& each : handler_.serving) each->give_up();
    }
    {
      Loop::Turn turn(loop_);
    }
    CHECK(handler_.handled == handler_.completed);
  }

  void feed(BytesView bytes) {
    Loop::Turn turn(loop_);
    session_->receive(bytes);
    settle();
  }
  void frames(BytesView data);

 private:
  void settle() {
    for (int i = 0; i < 8; ++i) {
      Buffer out;
      session_->settle(out);
      CHECK(out.size() <= kWriteBuffer + 2 * 16'384 + 9);
      check_frames(out.view());
      if (out.empty()) break;
    }
    CHECK(session_->streams() <= 2 * kHttp2StreamsMax);
    session_->done();
  }
  void act(std::uint8_t what) {
    Loop::Turn turn(loop_);
    switch (what % 4) {
      case 0: session_->drain(); break;
      case 1: session_->on_time(Deadline::Clock::now() + std::chrono::milliseconds(300)); break;
      case 2: session_->on_time(Deadline::Clock::now() + std::chrono::hours(1)); break;
      case 3:
        for (auto& each : handler_.serving) each->go_on();
        break;
    }
    settle();
  }

  Loop loop_;
  Handler handler_;
  std::shared_ptr<HttpShared> shared_ = std::make_shared<HttpShared>();
  std::shared_ptr<HttpListener> listener_;
  std::unique_ptr<Http2Session> session_;
};

// Records of type, flags, stream and size, and then the payload; a type of 16 and more acts on the
// serving side.
void Run::frames(BytesView data) {
  // GET http a.test /, from the static table and as literals.
  static const std::string request(
      "\x82\x86\x84\x41\x06"
      "a.test",
      11);
  while (data.size() >= 4) {
    std::uint8_t type = data[0];
    std::uint8_t flags = data[1];
    std::size_t size = std::min<std::size_t>(data[3], data.size() - 4);
    std::string payload(as_text(data.subspan(4, size)));
    if (type >= 16) {
      act(type);
    } else {
      if (type == 1 && (flags & 0x80) != 0) payload = request + payload;
      if (type == 0 && (flags & 0x80) != 0) payload.resize(size * 64, 'x');
      feed(as_bytes(frame(type % 12, flags & 0x2d, data[2], payload)));
    }
    data = data.subspan(4 + size);
  }
}

}  // namespace
}  // namespace weft

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft;
  if (size < 2) return 0;
  Run run(data[1]);
  BytesView rest(data + 2, size - 2);
  if (data[0] % 8 == 0) {
    // Bytes as they are, in slices.
    std::size_t slice = 1 + data[0] / 8;
    for (; !rest.empty(); rest = rest.subspan(std::min(slice, rest.size()))) {
      run.feed(rest.first(std::min(slice, rest.size())));
    }
    return 0;
  }
  run.feed(as_bytes(std::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33)));
  run.frames(rest);
  return 0;
}
