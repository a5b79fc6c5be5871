#pragma once

// A client for the tests: an HTTP exchange without a wire.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/http/exchange.h"

namespace weft::testing {

// What a test's client sends, and what became of it. Outlives the exchange.
struct Client {
  explicit Client(Loop& its_loop, std::string path, std::string body_to_send = {})
      : loop(its_loop), target(std::move(path)), to_send(std::move(body_to_send)) {
    head.method = to_send.empty() ? "GET" : "POST";
    head.target = head.path = target;
    head.authority = "test.example";
    if (!to_send.empty()) head.content_length = to_send.size();
  }
  Client(const Client&) = delete;

  // The exchange to be served: once.
  HttpExchange::Ptr exchange();

  // Sends up to `size` more bytes of the body.
  void send(std::size_t size);
  void send_all() { send(to_send.size()); }
  // Takes what has been written, so that more may be.
  void take();
  void go_away();

  bool all_sent() const { return sent == to_send.size(); }
  bool well() const { return status == 200 && finished && !aborted; }

  Loop& loop;
  std::string target;
  std::string to_send;
  RequestHead head;
  // How much is written until the client has to take it.
  std::size_t room_max = 64 << 10;

  std::size_t sent = 0;
  std::size_t read = 0;   // Of what was sent.
  std::size_t taken = 0;  // Of `body`.
  int status = 0;
  std::string body;
  bool finished = false;
  bool aborted = false;
  bool gone = false;
  bool released = false;
  class TestExchange* open = nullptr;  // Until it is released.
};

class TestExchange final : public HttpExchange {
 public:
  explicit TestExchange(Client& client) : client_(client) { client_.open = this; }

  Loop& loop() override { return client_.loop; }
  const RequestHead& request() const override { return client_.head; }
  std::string_view peer() override { return "192.0.2.1:4711"; }

  BytesView body() override {
    if (gone_) return {};
    BytesView here = as_bytes(client_.to_send).subspan(client_.read, client_.sent - client_.read);
    if (here.empty()) dry_ = true;
    return here;
  }
  void consume_body(std::size_t count) override { client_.read += count; }
  BodyState body_state() override {
    if (client_.read == client_.to_send.size()) return BodyState::kEnd;
    return gone_ ? BodyState::kFailed : BodyState::kMore;
  }
  std::span<const Header> request_trailers() const override { return {}; }

  Result<void> begin_response(int status, std::span<const Header>,
                              std::optional<std::uint64_t>) override {
    client_.status = status;
    return {};
  }
  bool write(BytesView bytes) override {
    if (!gone_) client_.body += as_text(bytes);
    blocked_ = writable() == 0;
    return !blocked_;
  }
  std::size_t writable() override {
    std::size_t waiting = client_.body.size() - client_.taken;
    return gone_ || waiting < client_.room_max ? client_.room_max : 0;
  }
  void finish() override { client_.finished = !gone_; }
  void finish_with_trailers(std::span<const Header>) override { finish(); }
  void abort() override { client_.aborted = true; }

 private:
  friend struct Client;
  void release() override {
    client_.open = nullptr;
    client_.released = true;
    delete this;
  }

  Client& client_;
  bool dry_ = false;      // The body ran dry, so its next bytes are told.
  bool blocked_ = false;  // A write was told to wait.
};

inline HttpExchange::Ptr Client::exchange() {
  return HttpExchange::Ptr(new TestExchange(*this));
}

inline void Client::send(std::size_t size) {
  std::size_t now = std::min(size, to_send.size() - sent);
  sent += now;
  if (now == 0 || open == nullptr || gone || !std::exchange(open->dry_, false)) return;
  if (open->events_ != nullptr) open->events_->on_body_ready();
}

inline void Client::take() {
  taken = body.size();
  if (open == nullptr || gone || !std::exchange(open->blocked_, false)) return;
  if (open->events_ != nullptr) open->events_->on_writable();
}

inline void Client::go_away() {
  if (gone) return;
  gone = true;
  if (open == nullptr) return;
  open->gone_ = true;
  if (open->events_ != nullptr) open->events_->on_gone();
}

}  // namespace weft::testing
