#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "io/http/server.h"

namespace weft::http_test {

inline constexpr std::chrono::seconds kPatience{20};  // Beyond it a test has failed.

// What one thread tells another, in order.
template <class T>
class Mailbox {
 public:
  void put(T value) {
    std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
    changed_.notify_all();
  }
  std::optional<T> take(std::chrono::milliseconds patience = kPatience) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience, [&] { return !values_.empty(); })) return std::nullopt;
    T value = std::move(values_.front());
    values_.pop_front();
    return value;
  }
  bool empty() {
    std::lock_guard lock(mutex_);
    return values_.empty();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> values_;
};

// What is left of a summary after its exchange.
struct Done {
  std::string target;
  int status;
  ExchangeSummary::End end;
  std::uint64_t bytes_in;
  std::uint64_t bytes_out;
};

class TestHandler final : public HttpHandler {
 public:
  using Serve = std::function<void(HttpExchange::Ptr)>;
  TestHandler(Serve& serve, Mailbox<Done>& done) : serve_(serve), done_(done) {}
  void handle(HttpExchange::Ptr exchange) override { serve_(std::move(exchange)); }
  void on_complete(const ExchangeSummary& summary) override {
    EXPECT_TRUE(summary.peer.starts_with("127.0.0.1:"));
    EXPECT_GE(summary.time, summary.time_to_head);
    done_.put({std::string(summary.request.target), summary.status, summary.end, summary.bytes_in,
               summary.bytes_out});
  }

 private:
  Serve& serve_;
  Mailbox<Done>& done_;
};

// A server whose exchanges go to one function.
class TestServer {
 public:
  explicit TestServer(TestHandler::Serve serve_function, HttpLimits limits = {},
                      std::size_t loop_count = 1)
      : serve(std::move(serve_function)), loops({.count = loop_count}) {
    for (std::size_t i = 0; i < loop_count; ++i) {
      handlers_.push_back(std::make_unique<TestHandler>(serve, done));
      pointers_.push_back(handlers_.back().get());
    }
    auto made = HttpServer::listen(loops, pointers_, {.limits = limits});
    EXPECT_TRUE(made) << (made ? "" : made.error().message());
    server = std::move(*made);
  }

  TestHandler::Serve serve;
  Mailbox<Done> done;
  Loops loops;

 private:
  std::vector<std::unique_ptr<TestHandler>> handlers_;
  std::vector<HttpHandler*> pointers_;

 public:
  std::unique_ptr<HttpServer> server;
};

struct Response {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string trailers;
  bool whole = false;

  std::string header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "(none)";
  }
};

// A client that sends exactly what it is told and waits with a limit.
class Client {
 public:
  explicit Client(const HttpServer& server) : Client(server.port()) {}
  explicit Client(std::uint16_t port, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) {
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    connect(port);
  }
  explicit Client(Fd socket) : fd_(std::move(socket)) {}

  void connect(std::uint16_t port) {
    int on = 1;
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    timeval patience{kPatience.count(), 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }

  bool connected() const { return connected_; }
  int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }
  void half_close() { ::shutdown(fd_.get(), SHUT_WR); }
  void reset() {
    linger hard{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    fd_.reset();
  }

  // False when the server closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // Sends until the server takes no more for `quiet`, or `limit` is reached.
  std::size_t send_until_stalled(std::size_t limit, std::chrono::milliseconds quiet) {
    std::string block(64 * 1024, 'b');
    std::size_t total = 0;
    while (total < limit) {
      pollfd wait{fd_.get(), POLLOUT, 0};
      if (::poll(&wait, 1, static_cast<int>(quiet.count())) == 0) break;
      ssize_t sent = ::send(fd_.get(), block.data(), std::min(block.size(), limit - total),
                            MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) total += static_cast<std::size_t>(sent);
    }
    return total;
  }

  // Reads more into the buffer. False at the end, at a reset, and when patience ends.
  bool read_some() {
    char room[64 * 1024];
    ssize_t count = ::recv(fd_.get(), room, sizeof(room), 0);
    if (count <= 0) {
      was_reset_ = count < 0 && errno == ECONNRESET;
      timed_out_ = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
      return false;
    }
    buffer_.append(room, static_cast<std::size_t>(count));
    return true;
  }
  bool closed() {
    if (!buffer_.empty() || read_some()) return false;
    return !timed_out_;
  }
  bool was_reset() const { return was_reset_; }
  std::string read_to_end() {
    while (read_some()) continue;
    EXPECT_FALSE(timed_out_);
    return std::exchange(buffer_, {});
  }
  // Reads at least until `text` is there, and returns everything up to its end.
  std::string read_until(std::string_view text) {
    std::size_t found;
    while ((found = buffer_.find(text)) == std::string::npos) {
      if (!read_some()) return std::exchange(buffer_, {});
    }
    return take(found + text.size());
  }

  enum class Body : std::uint8_t { kExpected, kNone };
  Response read_response(Body body = Body::kExpected) {
    Response response;
    std::string head = read_until("\r\n\r\n");
    if (head.size() < 12) return response;
    std::from_chars(head.data() + 9, head.data() + 12, response.status);
    for (std::size_t at = head.find("\r\n") + 2; at + 2 < head.size();) {
      std::size_t end = head.find("\r\n", at);
      std::size_t colon = head.find(": ", at);
      response.headers.emplace_back(head.substr(at, colon - at),
                                    head.substr(colon + 2, end - colon - 2));
      at = end + 2;
    }
    if (body == Body::kNone || response.status < 200) {
      response.whole = true;
    } else if (response.header("transfer-encoding") == "chunked") {
      read_chunks(response);
    } else if (response.header("content-length") != "(none)") {
      std::size_t size = std::stoull(response.header("content-length"));
      while (buffer_.size() < size && read_some()) continue;
      response.whole = buffer_.size() >= size;
      response.body = take(std::min(size, buffer_.size()));
    } else {
      response.body = read_to_end();
      response.whole = !was_reset_;
    }
    return response;
  }
  Response request(std::string_view bytes) {
    send(bytes);
    return read_response();
  }

 private:
  std::string take(std::size_t count) {
    std::string taken = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return taken;
  }
  void read_chunks(Response& response) {
    for (;;) {
      std::string line = read_until("\r\n");
      if (!line.ends_with("\r\n")) return;
      std::size_t size = std::stoull(line, nullptr, 16);
      if (size == 0) break;
      while (buffer_.size() < size + 2 && read_some()) continue;
      if (buffer_.size() < size + 2) return;
      response.body += take(size);
      if (take(2) != "\r\n") return;
    }
    for (;;) {
      std::string line = read_until("\r\n");
      if (line == "\r\n") break;
      if (!line.ends_with("\r\n")) return;
      response.trailers += line;
    }
    response.whole = true;
  }

  Fd fd_;
  std::string buffer_;
  bool connected_ = false;
  bool was_reset_ = false;
  bool timed_out_ = false;
};

inline void answer(HttpExchange& exchange, int status, std::string_view body,
                   std::vector<Header> headers = {}) {
  ASSERT_TRUE(exchange.begin_response(status, headers, body.size()));
  exchange.write(as_bytes(body));
  exchange.finish();
}

// Sends the request's body back as it comes, with its trailers; takes no more than the client
// takes.
class Echo final : public ExchangeEvents {
 public:
  static void start(HttpExchange::Ptr exchange) { new Echo(std::move(exchange)); }

 private:
  explicit Echo(HttpExchange::Ptr exchange) : exchange_(std::move(exchange)) {
    exchange_->listen(this);
    EXPECT_TRUE(exchange_->begin_response(200, {}, exchange_->request().content_length));
    pump();
  }
  void on_body_ready() override { pump(); }
  void on_writable() override { pump(); }
  void on_gone() override { delete this; }

  void pump() {
    for (;;) {
      BytesView bytes = exchange_->body();
      if (bytes.empty()) break;
      bool more = exchange_->write(bytes);
      exchange_->consume_body(bytes.size());
      if (!more) return;
    }
    if (exchange_->body_state() != BodyState::kEnd) return;
    exchange_->finish_with_trailers(exchange_->request_trailers());
    delete this;
  }

  HttpExchange::Ptr exchange_;
};

// Keeps an exchange and tells what happens to it.
class Held final : public ExchangeEvents {
 public:
  explicit Held(HttpExchange::Ptr held) : exchange(std::move(held)) { exchange->listen(this); }
  void on_body_ready() override { events.put("body"); }
  void on_writable() override { events.put("writable"); }
  void on_gone() override { events.put("gone"); }

  HttpExchange::Ptr exchange;
  Mailbox<std::string> events;
};

// A server whose exchanges wait in a mailbox; `on_loop` works on them.
struct HoldingServer {
  explicit HoldingServer(HttpLimits limits = {})
      : server(
            [this](HttpExchange::Ptr held) {
              exchanges.put(std::make_shared<Held>(std::move(held)));
            },
            limits) {}
  void on_loop(const std::function<void()>& work) {
    server.loops.on_each([&](Loop&, std::size_t) { work(); });
  }

  Mailbox<std::shared_ptr<Held>> exchanges;
  TestServer server;
};

}  // namespace weft::http_test
