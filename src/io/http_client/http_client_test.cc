#include "io/http_client/http_client.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/check.h"
#include "io/http/test_support.h"

namespace weft {
namespace {

using http_test::Mailbox;
using http_test::TestServer;

struct Ended {
  unsigned status = 0;
  HttpHeaders headers;
  std::string body;
  std::optional<HttpProblem> problem;
};

// A listener that collects a response. Used on the client's loop.
class Collector final : public HttpTransferListener {
 public:
  explicit Collector(Mailbox<Ended>& done) : done_(done) {}

  bool may_connect(const IpAddress& address) override {
    asked.push_back(address);
    return allow;
  }
  std::int64_t read(std::span<std::uint8_t> into) override {
    if (upload.empty()) return upload_ends ? kEnd : kNothingYet;
    std::size_t count = std::min(into.size(), upload.size());
    std::copy_n(upload.begin(), count, into.begin());
    upload.erase(0, count);
    return static_cast<std::int64_t>(count);
  }
  void head(unsigned status, const HttpHeaders& headers) override {
    ended.status = status;
    ended.headers = headers;
  }
  bool has_room() override { return room; }
  void data(BytesView bytes) override { ended.body += as_text(bytes); }
  void finished(const HttpHeaders&) override { end(); }
  void failed(HttpProblem problem, const std::string&) override {
    ended.problem = problem;
    end();
  }

  bool allow = true;
  bool room = true;
  bool upload_ends = true;
  std::string upload;
  std::vector<IpAddress> asked;
  Ended ended;
  std::unique_ptr<HttpTransfer> transfer;

 private:
  void end() {
    transfer.reset();
    done_.put(std::move(ended));
  }
  Mailbox<Ended>& done_;
};

// Answers with the number of bytes it was sent.
class Counting final : public ExchangeEvents {
 public:
  explicit Counting(HttpExchange::Ptr exchange) : exchange_(std::move(exchange)) {
    exchange_->listen(this);
  }
  void on_body_ready() override {
    for (BytesView body = exchange_->body(); !body.empty(); body = exchange_->body()) {
      count_ += body.size();
      exchange_->consume_body(body.size());
    }
    if (exchange_->body_state() == BodyState::kMore) return;
    std::string text = std::to_string(count_);
    if (exchange_->begin_response(200, {}, text.size())) exchange_->write(as_bytes(text));
    exchange_->finish();
    delete this;
  }
  void on_gone() override { delete this; }

 private:
  HttpExchange::Ptr exchange_;
  std::size_t count_ = 0;
};

// A server, and a client on a loop of its own.
class HttpClientTest : public testing::Test {
 protected:
  void make(HttpClientOptions options = {}) {
    on_loop([&](Loop& loop) { client = std::make_unique<HttpClient>(loop, std::move(options)); });
  }
  void TearDown() override {
    on_loop([&](Loop&) {
      for (auto& each : collectors) each->transfer.reset();
      client.reset();
      collectors.clear();
    });
    // What nobody answered goes on its own loop, while that still runs.
    server.loops.on_each([&](Loop&, std::size_t) { silent.clear(); });
  }
  void on_loop(const std::function<void(Loop&)>& work) {
    loops.on_each([&](Loop& loop, std::size_t) { work(loop); });
  }
  std::string url(std::string_view path) const {
    return fmt::format("http://127.0.0.1:{}{}", server.server->port(), path);
  }
  Collector& start(HttpClientRequest request, const std::function<void(Collector&)>& set = {}) {
    Collector* collector = nullptr;
    on_loop([&](Loop&) {
      collectors.push_back(std::make_unique<Collector>(done));
      collector = collectors.back().get();
      if (set) set(*collector);
      auto started = client->start(request, *collector);
      EXPECT_TRUE(started);
      if (started) collector->transfer = *std::move(started);
    });
    return *collector;
  }
  Ended take() {
    auto ended = done.take();
    EXPECT_TRUE(ended) << "nothing ended in time";
    return ended ? *std::move(ended) : Ended{};
  }

  void answer(HttpExchange::Ptr exchange) {
    std::string_view target = exchange->request().target;
    if (target == "/silent") {
      silent.push_back(std::move(exchange));
      return;
    }
    if (target == "/count") {
      (new Counting(std::move(exchange)))->on_body_ready();
      return;
    }
    if (target == "/big") {
      static constexpr std::size_t kSize = 4 << 20;
      std::string body(kSize, 'b');
      if (!exchange->begin_response(200, {}, kSize)) return;
      exchange->write(as_bytes(body));
      exchange->finish();
      return;
    }
    static constexpr Header kHeaders[] = {{"x-word", "yes"}};
    if (!exchange->begin_response(201, kHeaders, 5)) return;
    exchange->write(as_bytes("hello"));
    exchange->finish();
  }

  std::vector<HttpExchange::Ptr> silent;  // On the server's one loop.
  TestServer server{[this](HttpExchange::Ptr exchange) { answer(std::move(exchange)); }};
  Mailbox<Ended> done;
  Loops loops{{.count = 1}};
  std::unique_ptr<HttpClient> client;
  std::vector<std::unique_ptr<Collector>> collectors;
};

TEST_F(HttpClientTest, RequestsInARowShareAConnection) {
  // Status, headers and body arrive; only the first request opens a socket; each is asked about.
  make();
  for (int i = 0; i < 20; ++i) {
    Collector& collector = start({.url = url("/")});
    Ended ended = take();
    EXPECT_EQ(ended.status, 201U);
    EXPECT_EQ(ended.body, "hello");
    EXPECT_FALSE(ended.problem);
    bool has_word = std::ranges::any_of(ended.headers, [](const auto& header) {
      return header.first == "x-word" && header.second == "yes";
    });
    EXPECT_TRUE(has_word);
    on_loop([&](Loop&) { EXPECT_FALSE(collector.asked.empty()); });
  }
  on_loop([&](Loop&) { EXPECT_EQ(client->connections_opened(), 1U); });
}

TEST_F(HttpClientTest, ARefusedAddressIsNotConnectedTo) {
  // Neither on a new connection nor on one that another transfer opened.
  make();
  auto refuse = [](Collector& collector) { collector.allow = false; };
  start({.url = url("/")}, refuse);
  EXPECT_EQ(take().problem, HttpProblem::kDenied);
  on_loop([&](Loop&) { EXPECT_EQ(client->connections_opened(), 0U); });
  start({.url = url("/")});
  EXPECT_EQ(take().status, 201U);
  start({.url = url("/")}, refuse);
  Ended ended = take();
  EXPECT_EQ(ended.problem, HttpProblem::kDenied);
  EXPECT_EQ(ended.status, 0U);
}

TEST_F(HttpClientTest, AListenerWithoutRoomPausesTheTransfer) {
  // Nothing is handed over until it resumes, and then all of it.
  make();
  Collector& collector = start({.url = url("/big")}, [](Collector& each) { each.room = false; });
  bool paused = false;
  auto end = Deadline::after(http_test::kPatience);
  while (!paused && !end.passed()) {
    on_loop([&](Loop&) { paused = collector.transfer->waits_for_room(); });
  }
  ASSERT_TRUE(paused);
  on_loop([&](Loop&) {
    EXPECT_TRUE(collector.ended.body.empty());
    collector.room = true;
    collector.transfer->resume_response();
  });
  EXPECT_EQ(take().body.size(), std::size_t{4} << 20);
}

TEST_F(HttpClientTest, AnUploadWaitsForItsBody) {
  // A body that has nothing yet is asked again after resume_body.
  make();
  Collector& collector = start(
      {.method = "POST", .url = url("/count"), .body_length = HttpClientRequest::kUnknownLength},
      [](Collector& each) { each.upload_ends = false; });
  EXPECT_TRUE(done.empty());
  on_loop([&](Loop&) {
    collector.upload = "some";
    collector.upload_ends = true;
    collector.transfer->resume_body();
  });
  EXPECT_EQ(take().body, "4");
}

TEST_F(HttpClientTest, SilenceEndsInTime) {
  // The client's own time-out to the first byte.
  make({.first_byte_timeout = std::chrono::milliseconds(50)});
  start({.url = url("/silent")});
  EXPECT_EQ(take().problem, HttpProblem::kReadTimeout);
}

TEST_F(HttpClientTest, DroppedTransfersLeave) {
  // Whatever they are at; the client goes on, and may be destroyed with connections open.
  make();
  for (std::string_view path : {"/silent", "/big", "/big"}) {
    Collector& collector = start({.url = url(path)});
    on_loop([&](Loop&) { collector.transfer.reset(); });
  }
  start({.url = url("/")});
  // Those before it may have been too quick to be dropped: their status is another.
  Ended ended = take();
  for (int i = 0; i < 2 && ended.status != 201; ++i) ended = take();
  EXPECT_EQ(ended.status, 201U);
  EXPECT_FALSE(ended.problem);
  on_loop([&](Loop&) { EXPECT_EQ(client->transfers(), 0U); });
}

TEST_F(HttpClientTest, BoundsAreKept) {
  // One transfer more than there may be is refused at once; a long head breaks the transfer off.
  make({.transfers_max = 1, .head_bytes_max = 20});
  Collector& first = start({.url = url("/silent")});
  on_loop([&](Loop&) {
    Collector second(done);
    auto refused = client->start({.url = url("/")}, second);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::kLimit);
    first.transfer.reset();
  });
  start({.url = url("/")});
  EXPECT_EQ(take().problem, HttpProblem::kHeaderSize);
}

TEST_F(HttpClientTest, WhatCannotBeConnectedToSaysWhy) {
  // A port that nobody listens on, and a name that does not exist.
  make();
  start({.url = "http://127.0.0.1:1/"});
  EXPECT_EQ(take().problem, HttpProblem::kConnectionRefused);
  start({.url = "http://does-not-exist.invalid/"});
  EXPECT_EQ(take().problem, HttpProblem::kDnsError);
}

// Takes one connection, says the text once it was asked something, and closes it.
class SaysOnce {
 public:
  explicit SaysOnce(std::string text) : thread_([this, text = std::move(text)] { say(text); }) {}
  std::string url() const { return fmt::format("http://127.0.0.1:{}/", port_); }

 private:
  static int listening(std::uint16_t& port) {
    int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    CHECK(::bind(socket, any, size) == 0 && ::listen(socket, 1) == 0);
    CHECK(::getsockname(socket, any, &size) == 0);
    port = ntohs(address.sin_port);
    return socket;
  }
  void say(const std::string& text) const {
    int client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    char asked[1024];
    CHECK(::recv(client, asked, sizeof asked, 0) > 0);
    CHECK(::send(client, text.data(), text.size(), MSG_NOSIGNAL) > 0);
    ::close(client);
    ::close(socket_);
  }

  std::uint16_t port_ = 0;
  int socket_ = listening(port_);
  std::jthread thread_;
};

TEST_F(HttpClientTest, AnAnswerThatIsNoHttpIsNotTheUrlsFault) {
  // Who asked must not take it for a request that was never sent.
  make();
  SaysOnce other("-ERR unknown command\r\n");
  start({.url = other.url()});
  EXPECT_EQ(take().problem, HttpProblem::kProtocol);
}

}  // namespace
}  // namespace weft
