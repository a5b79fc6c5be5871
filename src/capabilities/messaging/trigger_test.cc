// What a handler's return means: done, again with longer and longer pauses, or a dead letter; and
// no room for an instance is no attempt.
#include "capabilities/messaging/trigger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <optional>

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
using ::testing::Pair;

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
    .write = [](Writer& out, Loop&, const Message& message) -> std::shared_ptr<Body> {
      out.write(as_text(message.data));
      return nullptr;
    },
    .read = [](Reader& in) -> Handled {
      auto text = in.read<std::string>();
      return {.well = text == "well", .reject = text == "reject", .reason = text};
    }};

class TriggerTest : public ::testing::Test {
 protected:
  TriggerTest() { CHECK(backend_->open()); }

  void start(unsigned retries = 2, std::string dead_letter_topic = "") {
    TriggerOptions options{.wanted = {.group = "g", .pattern = "t"},
                           .retries = retries,
                           .backoff = milliseconds(20),
                           .dead_letter_topic = std::move(dead_letter_topic)};
    trigger_ = std::make_unique<MessageTrigger>(
        Waking{loop_, "app", "c", use_, offer_, settings_, calls_, &meter_}, std::move(options),
        kForm, backend_->broker(loop_, {"app", "b"}));
    run_for(milliseconds(30));
  }
  void publish(std::string topic, std::string_view data) { publish({topic, to_bytes(data)}); }
  void publish(Message message) {
    std::optional<bool> kept;
    auto answer =
        broker_->publish({loop_, Deadline::after(std::chrono::seconds(10))}, std::move(message))
            .settle([&](Result<void> result) {
              kept = result.has_value();
              return Nothing();
            });
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (!kept && !limit.passed()) run_for(milliseconds(5));
    EXPECT_EQ(kept, true);
  }
  bool until(std::size_t calls) {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (calls_.calls.size() < calls && !limit.passed()) run_for(milliseconds(5));
    run_for(milliseconds(100));
    return calls_.calls.size() == calls;
  }
  std::uint64_t ended(RunEnd how) const {
    return meter_.ended[static_cast<std::size_t>(how)].get();
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
  TriggerMeter meter_;
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
  start(3);
  calls_.answer = "no";
  publish("t", "1");
  EXPECT_TRUE(until(4));
  ASSERT_EQ(calls_.times.size(), 4U);
  EXPECT_GE(calls_.times[1] - calls_.times[0], milliseconds(20));
  EXPECT_GE(calls_.times[2] - calls_.times[1], milliseconds(40));
  EXPECT_GE(calls_.times[3] - calls_.times[2], milliseconds(80));
}

TEST_F(TriggerTest, ARetryIsATryBeyondTheFirst) {
  start(0);
  calls_.answer = "no";
  publish("t", "1");
  EXPECT_TRUE(until(1));
  start(1);
  publish("t", "2");
  EXPECT_TRUE(until(3));
  EXPECT_THAT(calls_.calls, ElementsAre("1", "2", "2"));
}

TEST_F(TriggerTest, ATrapIsAFailure) {
  start(1);
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
  start(0);
  calls_.outcome = failure(Errc::kUnavailable, "no room");
  publish("t", "1");
  Deadline limit = Deadline::after(std::chrono::seconds(20));
  while (calls_.calls.size() <= 1 && !limit.passed()) run_for(milliseconds(5));
  EXPECT_GT(calls_.calls.size(), 1U);
  std::size_t before = calls_.calls.size();
  calls_.outcome = {};
  EXPECT_TRUE(until(before + 1));
}

// What comes to the topic of dead letters.
class Sexton final : public Receiver {
 public:
  explicit Sexton(Broker& broker) : queue_(broker.subscribe({"s", "graveyard"}, *this)) {}
  void deliver(Delivery delivery) override {
    buried.push_back(std::move(delivery.message));
    queue_->settle(delivery.id, {});
  }
  std::vector<Message> buried;

 private:
  std::unique_ptr<Queue> queue_;
};

TEST_F(TriggerTest, DeadLettersGoToTheirTopic) {
  start(0, "graveyard");
  Sexton sexton(*broker_);
  run_for(milliseconds(30));
  calls_.answer = "no";
  publish("t", "1");
  EXPECT_TRUE(until(1));
  ASSERT_EQ(sexton.buried.size(), 1U);
  EXPECT_EQ(as_text(sexton.buried[0].data), "1");
  EXPECT_THAT(sexton.buried[0].metadata,
              ElementsAre(Pair("dead-letter-topic", "t"), Pair("dead-letter-reason", "no")));
}

TEST_F(TriggerTest, AMessageAtItsBoundsHasADeadLetter) {
  start(0, "graveyard");
  Sexton sexton(*broker_);
  run_for(milliseconds(30));
  calls_.answer = std::string(2 * kReasonBytesMax, 'n');
  Message full{"t", Bytes(kMessageBytesMax - 2 * kOwnMetadataMax)};
  for (std::size_t i = 0; i < kOwnMetadataMax; ++i) full.metadata.emplace_back("k", "v");
  publish(full);
  EXPECT_TRUE(until(1));
  ASSERT_EQ(sexton.buried.size(), 1U);
  EXPECT_EQ(sexton.buried[0].data, full.data);
  EXPECT_EQ(sexton.buried[0].metadata.size(), kOwnMetadataMax + 2);
}

TEST_F(TriggerTest, ADeadLetterThatDiesWhereItCameFromIsKeptOnly) {
  start(0, "graveyard");
  Sexton sexton(*broker_);
  run_for(milliseconds(30));
  calls_.answer = "no";
  // As another trigger sends it that has "t" for its dead letters.
  publish(dead_letter({"graveyard", {}}, "t", "no").value());
  EXPECT_TRUE(until(1));
  EXPECT_TRUE(sexton.buried.empty());
}

TEST_F(TriggerTest, CountsItsRunsByHowTheyEnded) {
  start(0);
  auto one_ends = [&](RunEnd how, std::uint64_t many) {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (ended(how) < many && !limit.passed()) run_for(milliseconds(5));
    return ended(how) >= many;
  };
  publish("t", "1");
  EXPECT_TRUE(one_ends(RunEnd::kDone, 1));
  calls_.answer = "reject";
  publish("t", "2");
  EXPECT_TRUE(one_ends(RunEnd::kFailed, 1));
  for (auto [code, how] :
       {std::pair(Errc::kTrap, RunEnd::kTrapped), std::pair(Errc::kTimeout, RunEnd::kLimited),
        std::pair(Errc::kUnavailable, RunEnd::kNoRoom)}) {
    calls_.outcome = failure(code, "it is so");
    publish("t", "3");
    EXPECT_TRUE(one_ends(how, 1));
  }
  calls_.outcome = {};
  calls_.answer = "well";
  EXPECT_TRUE(one_ends(RunEnd::kDone, 2));
  EXPECT_EQ(meter_.given_up.get(), 3U);
  std::uint64_t all = 0;
  for (const Counter& each : meter_.ended) all += each.get();
  EXPECT_EQ(meter_.begun.get(), all);
}

}  // namespace
}  // namespace weft::messaging
