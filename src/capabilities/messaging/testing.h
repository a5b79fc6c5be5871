#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "capabilities/answer_tasks.h"
#include "capabilities/messaging/broker.h"
#include "io/loop.h"

namespace weft::messaging {

// For tests of one driver: a loop that the test runs.
class OnLoop : public ::testing::Test {
 protected:
  // Runs the loop until it is true, `patience_` at most.
  template <class Done>
  bool until(Done done) {
    Deadline limit = Deadline::after(patience_);
    while (!done()) {
      if (limit.passed()) return false;
      run_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  void run_for(std::chrono::milliseconds time) {
    loop_.context().restart();
    loop_.context().run_for(time);
  }
  // What comes of what `ask` asks on the loop; nothing where nothing comes.
  template <class T>
  std::optional<Result<T>> asked(std::function<Answer<T>()> ask) {
    auto told = std::make_shared<std::optional<Result<T>>>();  // The task may outlive the wait.
    auto work = [](std::function<Answer<T>()> begin, auto to) -> Task<void> {
      *to = co_await settled(begin());
      co_return Result<void>();
    };
    loop_.spawn(work(std::move(ask), told));
    until([&] { return told->has_value(); });
    return std::exchange(*told, std::nullopt);
  }
  // "ok", or the failure's code.
  std::string publish_to(Broker& broker, Message message, std::chrono::milliseconds time) {
    std::optional<Result<void>> told = asked<void>(
        [&] { return broker.publish({loop_, Deadline::after(time)}, std::move(message)); });
    if (!told) return "nothing";
    return *told ? "ok" : std::string(to_string(told->error().code()));
  }

  std::chrono::seconds patience_{20};
  Loop loop_;
};

// And with one broker, a queue of the group "g" there, and what it was brought.
class OneQueue : public OnLoop, protected Receiver {
 protected:
  ~OneQueue() override { queue_.reset(); }

  // Anew, where it has begun, as after a crash.
  void begin(std::unique_ptr<Backend> backend) {
    queue_.reset();
    broker_.reset();
    backend_ = std::move(backend);
    broker_ = backend_->broker(loop_, {"app", "b"});
  }
  void subscribe_to(std::string pattern, Ordering ordering = Ordering::kNone) {
    queue_ = broker_->subscribe({"g", std::move(pattern), ordering}, *this);
  }
  std::string publish(std::string_view text,
                      std::chrono::milliseconds time = std::chrono::seconds(20)) {
    return publish_to(*broker_, {"t", to_bytes(text)}, time);
  }
  std::vector<DeadLetter> dead() {
    auto letters = asked<std::vector<DeadLetter>>(
        [&] { return broker_->dead({loop_, Deadline::after(std::chrono::seconds(10))}, 10); });
    if (!letters || !*letters) return {};
    return **std::move(letters);
  }
  auto count(const std::string& text) { return std::ranges::count(taken_, text); }

  static std::optional<Verdict> hold(const Delivery&) { return std::nullopt; }
  static std::optional<Verdict> done(const Delivery&) { return Verdict(); }

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<Queue> queue_;
  // What to do with each. Nothing: it is held.
  std::function<std::optional<Verdict>(const Delivery&)> judge_ = done;
  std::vector<std::string> taken_;
  std::vector<unsigned> attempts_;
  std::vector<std::uint64_t> held_;
  Message last_;

 private:
  void deliver(Delivery delivery) override {
    taken_.emplace_back(as_text(delivery.message.data));
    attempts_.push_back(delivery.attempt);
    last_ = delivery.message;
    std::optional<Verdict> verdict = judge_(delivery);
    if (!verdict) return held_.push_back(delivery.id);
    loop_.post([this, id = delivery.id, verdict = *verdict] {
      if (queue_ != nullptr) queue_->settle(id, verdict);
    });
  }
};

}  // namespace weft::messaging
