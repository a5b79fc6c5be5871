#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/deadline.h"
#include "io/http/exchange.h"
#include "io/task.h"
#include "node/wire/node_api.h"
#include "remote/http/signal.h"

namespace weft::node::wire {

// One exchange while it is served: its events as a signal that a task waits for.
class Serving final : public ExchangeEvents {
 public:
  Serving(Loop& loop, HttpExchange::Ptr exchange) : exchange_(std::move(exchange)), signal_(loop) {
    exchange_->listen(this);
  }
  ~Serving() override { exchange_->listen(nullptr); }

  HttpExchange& exchange() { return *exchange_; }
  remote::Signal& signal() { return signal_; }
  bool gone() const { return exchange_->gone(); }

  void on_body_ready() override { signal_.raise(); }
  void on_writable() override { signal_.raise(); }
  void on_gone() override { signal_.raise(); }

  // Of the body, up to `most` bytes into `out`. False at its end; kTimeout where nothing comes
  // until then.
  Task<bool> read_some(Bytes& out, std::size_t most, Deadline until) {
    for (;;) {
      BytesView there = exchange_->body();
      if (!there.empty()) {
        std::size_t count = std::min(there.size(), most);
        out.insert(out.end(), there.begin(), there.begin() + static_cast<std::ptrdiff_t>(count));
        exchange_->consume_body(count);
        co_return true;
      }
      if (exchange_->body_state() == BodyState::kEnd) co_return false;
      if (exchange_->body_state() == BodyState::kFailed || gone()) co_return went();
      CO_TRY_VOID(co_await signal_.wait(until));
    }
  }
  // Until there are so many; false where the body ends before.
  Task<bool> read_to(Bytes& out, std::size_t size, Deadline until) {
    while (out.size() < size) {
      CO_TRY(bool more, co_await read_some(out, size - out.size(), until));
      if (!more) co_return false;
    }
    co_return true;
  }

  // All of it that is left, behind what `out` has; false where that is more than `most`.
  Task<bool> read_all(Bytes& out, std::size_t most, Deadline until) {
    for (bool more = true; more && out.size() <= most;) {
      CO_TRY(more, co_await read_some(out, most + 1 - out.size(), until));
    }
    co_return out.size() <= most;
  }

  // `again`: when to come again, if that is known.
  void answer(int status, std::string_view type, BytesView body,
              std::chrono::seconds again = std::chrono::seconds(0));
  void refuse(const Refusal& refusal);
  void refuse(const Error& error) {
    refuse({status_of(error.code()), std::string(to_string(error.code())), error.message()});
  }

  static std::unexpected<Error> went() { return failure(Errc::kCancelled, "the client is gone"); }

 private:
  HttpExchange::Ptr exchange_;
  remote::Signal signal_;
};

}  // namespace weft::node::wire
