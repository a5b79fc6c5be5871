// What a handler's return means: done, again with longer and longer pauses, or a dead letter; and
// no room for an instance is no attempt.
#include "capabilities/messaging/trigger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "base/buffer.h"
#include "capabilities/answer_tasks.h"
#include "capabilities/capability.h"
#include "capabilities/keyvalue/backend.h"
#include "capabilities/messaging/log_broker.h"
#include "door/values.h"

namespace weft::messaging {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

// Plays the component: what it is called with is kept, what it does is set.
class Played final : public HandlerCalls {
 public:
  explicit Played(Loop& loop) : loop_(loop) {}

  void call(std::size_t, Arguments arguments, Replied replied, Ended ended) override {
    Buffer bytes;
    Writer out(bytes);
    arguments(out);
    Reader in(bytes.view());
    calls.push_back(in.read<std::string>());
    times.push_back(Deadline::Clock::now());
    loop_.post([replied = std::move(replied), ended = std::move(ended), outcome = outcome,
                answer = answer]() mutable {
      if (outcome) {
        Buffer reply;
        Writer out(reply);
        out.write(std::string_view(answer));
        Reader in(reply.view());
        replied(in);
      }
      ended(std::move(outcome));
    });
  }

  Result<void> outcome;
  std::string answer = "well";
  std::vector<std::string> calls;
  std::vector<Deadline::Clock::time_point> times;

 private:
  Loop& loop_;
};

constexpr HandlerForm kForm{
    .write = [](Writer& out, const Message& message) { out.write(as_text(message.data)); },
    .read = [](Reader& in) -> Handled {
      auto text = in.read<std::string>();
      return {.well = text == "well", .reject = text == "reject", .reason = text};
    }};

class TriggerTest : public ::testing::Test {
 protected:
  TriggerTest() { CHECK(backend_->open()); }

  void start(unsigned retries = 3, std::string dead_letter_topic = "") {
    TriggerOptions options{.wanted = {.group = "g", .pattern = "t"},
                           .retries = retries,
                           .backoff = milliseconds(20),
                           .dead_letter_topic = std::move(dead_letter_topic)};
    trigger_ = std::make_unique<MessageTrigger>(
        Waking{loop_, "app", "c", use_, offer_, settings_, calls_}, std::move(options), kForm,
        backend_->broker(loop_, {"app", "b"}));
    run_for(milliseconds(30));
  }
  void publish(std::string topic, std::string_view data) {
    bool kept = false;
    auto answer =
        broker_
            ->publish({loop_, Deadline::after(std::chrono::seconds(10))}, {topic, to_bytes(data)})
            .settle([&](Result<void> result) {
              kept = result.has_value();
              return Nothing();
            });
    run_for(milliseconds(10));
    EXPECT_TRUE(kept);
  }
  bool until(std::size_t calls) {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (calls_.calls.size() < calls && !limit.passed()) run_for(milliseconds(5));
    run_for(milliseconds(100));
    return calls_.calls.size() == calls;
  }
  void run_for(milliseconds time) {
    loop_.context().restart();
    loop_.context().run_for(time);
  }

  Loop loop_;
  std::unique_ptr<Backend> backend_ = log_backend(keyvalue::memory_backend());
  std::unique_ptr<Broker> broker_ = backend_->broker(loop_, {"app", "b"});
  Use use_;
  Offer offer_;
  TriggerSettings settings_;
  Played calls_{loop_};
  std::unique_ptr<MessageTrigger> trigger_;
};

TEST_F(TriggerTest, AHandlerThatDoesWellIsCalledOnce) {
  start();
  publish("t", "1");
  publish("t", "2");
  EXPECT_TRUE(until(2));
  EXPECT_THAT(calls_.calls, ElementsAre("1", "2"));
}

TEST_F(TriggerTest, AFailureIsTriedAgainWithPausesThatGrow) {
  start(4);
  calls_.answer = "no";
  publish("t", "1");
  EXPECT_TRUE(until(4));
  ASSERT_EQ(calls_.times.size(), 4U);
  EXPECT_GE(calls_.times[1] - calls_.times[0], milliseconds(20));
  EXPECT_GE(calls_.times[2] - calls_.times[1], milliseconds(40));
  EXPECT_GE(calls_.times[3] - calls_.times[2], milliseconds(80));
}

TEST_F(TriggerTest, ATrapIsAFailure) {
  start(2);
  calls_.outcome = failure(Errc::kTrap, "unreachable");
  publish("t", "1");
  EXPECT_TRUE(until(2));
}

TEST_F(TriggerTest, ARejectedMessageIsDeadAtOnce) {
  start();
  calls_.answer = "reject";
  publish("t", "1");
  EXPECT_TRUE(until(1));
}

TEST_F(TriggerTest, NoRoomIsNoAttempt) {
  start(1);
  calls_.outcome = failure(Errc::kUnavailable, "no room");
  publish("t", "1");
  run_for(milliseconds(100));
  EXPECT_GT(calls_.calls.size(), 1U);
  std::size_t before = calls_.calls.size();
  calls_.outcome = {};
  EXPECT_TRUE(until(before + 1));
}

TEST_F(TriggerTest, DeadLettersGoToTheirTopic) {
  start(1, "graveyard");
  std::vector<std::string> buried;
  class Sexton final : public Receiver {
   public:
    Sexton(std::vector<std::string>& buried, std::unique_ptr<Queue>& queue)
        : buried_(buried), queue_(queue) {}
    void deliver(Delivery delivery) override {
      buried_.emplace_back(as_text(delivery.message.data));
      for (const auto& [key, value] : delivery.message.metadata)
        buried_.push_back(key + "=" + value);
      queue_->settle(delivery.id, {});
    }

   private:
    std::vector<std::string>& buried_;
    std::unique_ptr<Queue>& queue_;
  };
  std::unique_ptr<Queue> queue;
  Sexton sexton(buried, queue);
  queue = broker_->subscribe({"s", "graveyard"}, sexton);
  run_for(milliseconds(30));
  calls_.answer = "no";
  publish("t", "1");
  EXPECT_TRUE(until(1));
  EXPECT_THAT(buried, ElementsAre("1", "dead-letter-topic=t", "dead-letter-reason=no"));
  queue.reset();
}

}  // namespace
}  // namespace weft::messaging
