#pragma once

#include <boost/json.hpp>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/http/test_support.h"

namespace weft::keyvalue::dynamodb {

// Not a DynamoDB: gives a test's requests the answers that the test has laid out for them, one
// after the other, with which dynalite never answers. Without one left it is an empty object with
// status 200.
class FakeServer {
 public:
  struct Asked {
    std::string operation;
    boost::json::object body;
    std::string authorization;
  };
  // Makes an answer out of what was asked.
  using Answer = std::function<std::string(const Asked&)>;
  static constexpr int kBreaksOff = 0;  // In the place of a status.

  ~FakeServer() {
    server_.loops.on_each([&](Loop&, std::size_t) { server_.serve = nullptr; });
  }

  std::uint16_t port() const { return server_.server->port(); }
  void answer(int status, std::string body) {
    answer(status, [body = std::move(body)](const Asked&) { return body; });
  }
  void answer(int status, Answer body) {
    std::lock_guard hold(mutex_);
    answers_.emplace_back(status, std::move(body));
  }
  // What has been asked since this was called last.
  std::vector<Asked> asked() {
    std::lock_guard hold(mutex_);
    return std::exchange(asked_, {});
  }

 private:
  // Reads a request to its end, and answers it.
  class Request final : public ExchangeEvents {
   public:
    Request(FakeServer& fake, HttpExchange::Ptr exchange)
        : fake_(fake), exchange_(std::move(exchange)) {
      exchange_->listen(this);
    }
    void on_body_ready() override {
      for (BytesView bytes; !(bytes = exchange_->body()).empty();) {
        body_ += as_text(bytes);
        exchange_->consume_body(bytes.size());
      }
      if (exchange_->body_state() == BodyState::kMore) return;
      fake_.serve(*exchange_, body_);
      delete this;
    }
    void on_gone() override { delete this; }

   private:
    FakeServer& fake_;
    HttpExchange::Ptr exchange_;
    std::string body_;
  };

  void serve(HttpExchange& exchange, const std::string& body) {
    auto header = [&](std::string_view name) {
      return std::string(exchange.request().header(name).value_or(""));
    };
    std::string target = header("x-amz-target");
    Asked asked{target.substr(target.find('.') + 1), boost::json::parse(body).as_object(),
                header("authorization")};
    std::lock_guard hold(mutex_);
    std::pair<int, Answer> next{200, [](const Asked&) { return "{}"; }};
    if (!answers_.empty()) {
      next = std::move(answers_.front());
      answers_.pop_front();
    }
    std::string text = next.second(asked);
    asked_.push_back(std::move(asked));
    if (next.first == kBreaksOff) return exchange.abort();
    http_test::answer(exchange, next.first, text);
  }

  std::mutex mutex_;
  // Guarded:
  std::deque<std::pair<int, Answer>> answers_;
  std::vector<Asked> asked_;
  http_test::TestServer server_{[this](HttpExchange::Ptr exchange) {
    (new Request(*this, std::move(exchange)))->on_body_ready();
  }};
};

}  // namespace weft::keyvalue::dynamodb
