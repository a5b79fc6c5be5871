// Shows that a driver does what broker.h promises: what is published is brought to each group, at
// least once, in order where asked, again when it failed, and after a crash.
#include "capabilities/messaging/conformance.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <map>
#include <set>

#include "capabilities/answer_tasks.h"

namespace weft::messaging {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Kind = Verdict::Kind;
using std::chrono::milliseconds;

void Taker::deliver(Delivery delivery) {
  taken.push_back(delivery);
  ++out;
  most_out = std::max(most_out, out);
  auto verdict = judge(delivery);
  if (!verdict) return;
  loop_.post([this, id = delivery.id, verdict = *std::move(verdict)]() mutable {
    if (queue == nullptr) return;
    --out;
    queue->settle(id, std::move(verdict));
  });
}

std::vector<std::string> Taker::texts() const {
  std::vector<std::string> texts;
  for (const Delivery& each : taken) {
    texts.push_back(fmt::format("{}={}", each.message.topic, as_text(each.message.data)));
  }
  return texts;
}

Conformance::~Conformance() {
  broker_.reset();
  backend_.reset();
}

void Conformance::start() {
  broker_.reset();
  backend_.reset();
  backend_ = GetParam().make(state_);
  CHECK(backend_->open());
  broker_ = backend_->broker(loop_, {"app", "b"});
}

std::unique_ptr<Taker> Conformance::take(std::string pattern, std::string group, Ordering ordering,
                                         std::size_t at_once) {
  auto taker = std::make_unique<Taker>(loop_);
  taker->queue =
      broker_->subscribe({std::move(group), std::move(pattern), ordering, at_once}, *taker);
  run_for(milliseconds(50));
  return taker;
}

std::string Conformance::publish(std::string topic, std::string_view data,
                                 std::vector<std::pair<std::string, std::string>> metadata) {
  std::optional<Result<void>> outcome;
  auto keep = [](Broker* broker, Request request, Message message,
                 std::optional<Result<void>>* out) -> Task<void> {
    auto answer = broker->publish(request, std::move(message));
    if (answer.ready()) {
      *out = answer.result();
    } else {
      *out = co_await settled(std::move(answer));
    }
    co_return Result<void>();
  };
  loop_.spawn(keep(broker_.get(), request(), {std::move(topic), to_bytes(data), {}, {}, metadata},
                   &outcome));
  EXPECT_TRUE(until([&] { return outcome.has_value(); }));
  if (!outcome) return "nothing";
  return *outcome ? "ok" : std::string(to_string(outcome->error().code()));
}

std::vector<DeadLetter> Conformance::dead(std::size_t most) {
  std::optional<Result<std::vector<DeadLetter>>> dead;
  auto ask = [&]() -> Task<void> {
    dead = co_await settled(broker_->dead(request(), most));
    co_return Result<void>();
  };
  loop_.spawn(ask());
  EXPECT_TRUE(until([&] { return dead.has_value(); }));
  if (!dead || !*dead) {
    ADD_FAILURE() << "no answer: " << (dead ? dead->error().message() : "");
    return {};
  }
  return **std::move(dead);
}

std::string Conformance::replay(const std::string& group, std::uint64_t number) {
  std::optional<Result<void>> outcome;
  auto ask = [&]() -> Task<void> {
    outcome = co_await settled(broker_->replay(request(), group, number));
    co_return Result<void>();
  };
  loop_.spawn(ask());
  EXPECT_TRUE(until([&] { return outcome.has_value(); }));
  if (!outcome) return "nothing";
  return *outcome ? "ok" : std::string(to_string(outcome->error().code()));
}

std::string Conformance::replay_soon(const std::string& group, std::uint64_t number) {
  Deadline limit = Deadline::after(std::chrono::seconds(20));
  std::string outcome = replay(group, number);
  while ((outcome == "conflict" || outcome == "unavailable") && !limit.passed()) {
    run_for(milliseconds(5));
    outcome = replay(group, number);
  }
  return outcome;
}

bool Conformance::until(const std::function<bool()>& check) {
  Deadline limit = Deadline::after(std::chrono::seconds(20));
  while (!check() && !limit.passed()) run_for(milliseconds(5));
  return check();
}

void Conformance::run_for(milliseconds time) {
  loop_.context().restart();
  loop_.context().run_for(time);
}

void Conformance::stop(std::unique_ptr<Taker> taker) {
  taker->queue->stop();
  EXPECT_TRUE(until([&] { return taker->queue->idle(); }));
}

TEST_P(Conformance, BringsWhatIsPublishedToEachGroupThatWantsIt) {
  auto orders = take("orders.*", "orders");
  auto all = take(">", "all");
  auto other = take("orders.*", "other");
  EXPECT_EQ(publish("orders.new", "1"), "ok");
  EXPECT_EQ(publish("users.new", "2"), "ok");
  EXPECT_EQ(publish("orders.new.eu", "3"), "ok");
  EXPECT_TRUE(until(
      [&] { return all->taken.size() == 3 && !orders->taken.empty() && !other->taken.empty(); }));
  run_for(milliseconds(30));
  EXPECT_THAT(orders->texts(), ElementsAre("orders.new=1"));
  EXPECT_THAT(other->texts(), ElementsAre("orders.new=1"));
  EXPECT_THAT(all->texts(), UnorderedElementsAre("orders.new=1", "users.new=2", "orders.new.eu=3"));
}

TEST_P(Conformance, KeepsAMessageWhole) {
  auto taker = take("t");
  std::string data(kMessageBytesMax - 100, 'x');
  data[7] = '\0';
  Message large{"t", to_bytes(data), "text/plain", {}, {{"a", "1"}, {"a", "2"}}};
  // As many pairs as there may be, and those of dead letters beside them.
  Message full{"other", to_bytes("x")};
  for (std::size_t i = 0; i < kOwnMetadataMax; ++i)
    full.metadata.emplace_back(std::to_string(i), "v");
  full = dead_letter(full, "t", std::string(kReasonBytesMax, 'r')).value();
  std::size_t count = 0;
  for (const Message& message : {large, full}) {
    bool kept = false;
    auto answer = broker_->publish(request(), message).settle([&](Result<void> result) {
      kept = result.has_value();
      return Nothing();
    });
    // It may come before the answer does.
    EXPECT_TRUE(until([&] { return kept && taker->taken.size() > count; }));
    ASSERT_EQ(taker->taken.size(), ++count);
    EXPECT_EQ(taker->taken.back().message, message);
    EXPECT_EQ(taker->taken.back().attempt, 1U);
    EXPECT_TRUE(kept);
  }
}

TEST_P(Conformance, RefusesWhatIsBeyondItsBounds) {
  EXPECT_EQ(publish("", "x"), "invalid");
  EXPECT_EQ(publish("a b", "x"), "invalid");
  EXPECT_EQ(publish("a..b", "x"), "invalid");
  EXPECT_EQ(publish("a.*", "x"), "invalid");
  EXPECT_EQ(publish(std::string(kTopicBytesMax + 1, 't'), "x"), "invalid");
  EXPECT_EQ(publish("t", std::string(kMessageBytesMax + 1, 'x')), "invalid");
}

TEST_P(Conformance, NobodyElsesMessagesAreBrought) {
  auto mine = take("t");
  auto theirs = backend_->broker(loop_, {"another", "b"});
  Taker taker(loop_);
  taker.queue = theirs->subscribe({"g", "t"}, taker);
  run_for(milliseconds(50));
  EXPECT_EQ(publish("t", "1"), "ok");
  EXPECT_TRUE(until([&] { return mine->taken.size() == 1; }));
  run_for(milliseconds(30));
  EXPECT_THAT(taker.texts(), IsEmpty());
  taker.queue.reset();
}

TEST_P(Conformance, BringsAFailedMessageAgainAndCountsItsAttempts) {
  auto taker = take("t");
  taker->judge = [](const Delivery& delivery) {
    return delivery.attempt < 3 ? Verdict{Kind::kFailed, milliseconds(10), "no"} : Verdict();
  };
  EXPECT_EQ(publish("t", "1"), "ok");
  EXPECT_TRUE(until([&] { return taker->taken.size() == 3; }));
  run_for(milliseconds(60));
  ASSERT_EQ(taker->taken.size(), 3U);
  EXPECT_EQ(taker->taken[2].attempt, 3U);
}

TEST_P(Conformance, WhatHadNoRoomHasMadeNoAttempt) {
  auto taker = take("t");
  int times = 0;
  taker->judge = [&](const Delivery&) {
    return ++times < 4 ? Verdict{Kind::kAgain, milliseconds(5)} : Verdict();
  };
  EXPECT_EQ(publish("t", "1"), "ok");
  EXPECT_TRUE(until([&] { return taker->taken.size() == 4; }));
  EXPECT_EQ(taker->taken.back().attempt, 1U);
}

TEST_P(Conformance, APoisonMessageIsInNobodysWayAndAmongTheDeadLetters) {
  auto taker = take(">");
  taker->judge = [](const Delivery& delivery) {
    if (as_text(delivery.message.data) != "poison") return Verdict();
    return delivery.attempt < 2 ? Verdict{Kind::kFailed, milliseconds(10), "no"}
                                : Verdict{Kind::kDead, {}, "it is poison"};
  };
  EXPECT_EQ(publish("t", "poison"), "ok");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(publish("t", std::to_string(i)), "ok");
  EXPECT_TRUE(until([&] { return taker->taken.size() == 22; }));
  EXPECT_TRUE(until([&] { return !dead(10).empty(); }));
  std::vector<DeadLetter> letters = dead(10);
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].reason, "it is poison");
  EXPECT_EQ(letters[0].message.topic, "t");
  EXPECT_EQ(letters[0].attempts, 2U);
}

TEST_P(Conformance, OnlyTheLastDeadLettersAreKept) {
  auto taker = take("t", "g", Ordering::kNone, 64);
  taker->judge = [](const Delivery&) { return Verdict{Kind::kDead, {}, "no"}; };
  std::size_t kept = 0;
  constexpr std::size_t kMany = 520;
  for (std::size_t i = 0; i < kMany; ++i) {
    auto answer = broker_->publish(request(), {"t", to_bytes(std::to_string(i))})
                      .settle([&](Result<void> result) {
                        kept += result ? 1 : 0;
                        return Nothing();
                      });
  }
  EXPECT_TRUE(until([&] { return kept == kMany && taker->taken.size() == kMany; }));
  // The oldest go a little later than the newest come.
  Deadline limit = Deadline::after(std::chrono::seconds(20));
  std::size_t letters = 0;
  do {
    letters = dead(2 * kMany).size();
  } while ((letters > 500 || letters <= 400) && !limit.passed());
  EXPECT_GT(letters, 400U);
  EXPECT_LE(letters, 500U);
}

// One group's name is the beginning of the other's, as those of topics are.
TEST_P(Conformance, DeadLettersOfOneGroupMakeNoRoomForThoseOfAnother) {
  auto dead_at_once = [](const Delivery&) { return Verdict{Kind::kDead, {}, "no"}; };
  auto taker = take("t", "g");
  taker->judge = dead_at_once;
  EXPECT_EQ(publish("t", "kept"), "ok");
  EXPECT_TRUE(until([&] { return dead().size() == 1; }));
  auto other = take("u", "g/x", Ordering::kNone, 64);
  other->judge = dead_at_once;
  constexpr std::size_t kMany = 510;
  for (std::size_t i = 0; i < kMany; ++i) {
    auto answer =
        broker_->publish(request(), {"u", to_bytes(std::to_string(i))}).settle([](Result<void>) {
          return Nothing();
        });
  }
  EXPECT_TRUE(until([&] { return other->taken.size() == kMany; }));
  EXPECT_EQ(publish("t", "kept too"), "ok");
  auto of_group = [&](std::string_view group) {
    auto letters = dead(2 * kMany);
    return std::ranges::count(letters, group, &DeadLetter::group);
  };
  EXPECT_TRUE(until([&] { return of_group("g") == 2 && of_group("g/x") > 400; }));
  EXPECT_LE(of_group("g/x"), 500);
}

TEST_P(Conformance, NeverBringsMoreAtOnceThanWasAskedFor) {
  auto taker = take("t", "g", Ordering::kNone, 3);
  taker->judge = [](const Delivery&) { return std::nullopt; };
  for (int i = 0; i < 10; ++i) EXPECT_EQ(publish("t", std::to_string(i)), "ok");
  EXPECT_TRUE(until([&] { return taker->taken.size() == 3; }));
  run_for(milliseconds(80));
  EXPECT_EQ(taker->taken.size(), 3U);
  // Settled one by one, the others come.
  for (std::size_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(until([&] { return taker->taken.size() > i; }));
    taker->queue->settle(taker->taken[i].id, {});
    run_for(milliseconds(5));
  }
  EXPECT_EQ(taker->taken.size(), 10U);
}

TEST_P(Conformance, KeepsTheOrderOfAKeyAndHoldsUpNoOther) {
  auto taker = take(">", "g", Ordering::kKey, 16);
  std::map<std::string, std::vector<int>> done;
  taker->judge = [&](const Delivery& delivery) {
    int number = std::stoi(std::string(as_text(delivery.message.data)));
    if (number % 7 == 3 && delivery.attempt == 1)
      return Verdict{Kind::kFailed, milliseconds(20), "no"};
    done[delivery.message.metadata.at(0).second].push_back(number);
    return Verdict();
  };
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(publish("t", std::to_string(i), {{"key", std::to_string(i % 4)}}), "ok");
  }
  std::size_t count = 0;
  EXPECT_TRUE(until([&] {
    count = 0;
    for (const auto& [key, numbers] : done) count += numbers.size();
    return count == 60;
  }));
  EXPECT_EQ(done.size(), 4U);
  for (const auto& [key, numbers] : done) EXPECT_TRUE(std::ranges::is_sorted(numbers)) << key;
}

TEST_P(Conformance, OneTakesOverFromTheOtherAndNothingIsBroughtTwice) {
  auto first = take("t");
  for (int i = 0; i < 30; ++i) EXPECT_EQ(publish("t", std::to_string(i)), "ok");
  auto second = take("t");  // Waits for its turn.
  EXPECT_TRUE(until([&] { return first->taken.size() == 30; }));
  EXPECT_THAT(second->taken, IsEmpty());
  auto seen = first->texts();
  stop(std::move(first));
  for (int i = 30; i < 40; ++i) EXPECT_EQ(publish("t", std::to_string(i)), "ok");
  EXPECT_TRUE(until([&] { return second->taken.size() == 10; }));
  run_for(milliseconds(30));
  EXPECT_EQ(second->taken.size(), 10U);
  EXPECT_EQ(seen.size(), 30U);
}

TEST_P(Conformance, AGroupIsBroughtWhatCameWhileItsTriggerDidNotRun) {
  if (!GetParam().guarantees.keeps_for_absent) GTEST_SKIP() << "its server keeps nothing";
  auto taker = take("t");
  EXPECT_EQ(publish("t", "before"), "ok");
  EXPECT_TRUE(until([&] { return taker->taken.size() == 1; }));
  stop(std::move(taker));
  EXPECT_EQ(publish("t", "meanwhile"), "ok");
  taker = take("t");
  EXPECT_TRUE(until([&] { return taker->taken.size() == 1; }));
  EXPECT_THAT(taker->texts(), ElementsAre("t=meanwhile"));
}

TEST_P(Conformance, ANewGroupBeginsWithWhatComesFromNowOn) {
  auto first = take("t", "one");
  EXPECT_EQ(publish("t", "1"), "ok");
  auto second = take("t", "two");
  EXPECT_EQ(publish("t", "2"), "ok");
  EXPECT_TRUE(until([&] { return first->taken.size() == 2 && !second->taken.empty(); }));
  EXPECT_THAT(second->texts(), ElementsAre("t=2"));
}

TEST_P(Conformance, AGroupIsThereAsSoonAsItWasSubscribed) {
  Taker taker(loop_);
  taker.queue = broker_->subscribe({"g", "t"}, taker);
  EXPECT_EQ(publish("t", "at once"), "ok");
  EXPECT_TRUE(until([&] { return taker.taken.size() == 1; }));
  taker.queue.reset();
}

TEST_P(Conformance, RequestsHaveTheirReplies) {
  auto taker = take("ask");
  taker->judge = [&](const Delivery& delivery) {
    for (int i = 0; i < 2; ++i) {
      auto sent = broker_->publish(
          request(), {*delivery.message.reply_to, to_bytes("answer " + std::to_string(i))});
    }
    return Verdict();
  };
  for (std::size_t wanted : {1U, 2U}) {
    std::optional<Result<std::vector<Message>>> replies;
    auto ask = [&]() -> Task<void> {
      replies = co_await settled(broker_->request(request(), {"ask", to_bytes("?")}, wanted));
      co_return Result<void>();
    };
    loop_.spawn(ask());
    EXPECT_TRUE(until([&] { return replies.has_value(); }));
    ASSERT_TRUE(replies->has_value()) << replies->error().message();
    EXPECT_EQ((*replies)->size(), wanted);
    EXPECT_EQ(as_text((**replies)[0].data), "answer 0");
  }
}

TEST_P(Conformance, ARequestWithoutRepliesEndsByItsDeadline) {
  std::optional<Result<std::vector<Message>>> replies;
  auto ask = [&]() -> Task<void> {
    replies =
        co_await settled(broker_->request(request(milliseconds(80)), {"nobody", to_bytes("?")}, 1));
    co_return Result<void>();
  };
  loop_.spawn(ask());
  EXPECT_TRUE(until([&] { return replies.has_value(); }));
  ASSERT_FALSE(replies->has_value());
  EXPECT_EQ(replies->error().code(), Errc::kTimeout);
}

TEST_P(Conformance, WhatWasAcknowledgedOutlivesACrash) {
  if (!GetParam().guarantees.durable) GTEST_SKIP() << "it forgets all";
  {
    auto taker = take("t", "g", Ordering::kNone, 4);
    taker->judge = [](const Delivery& delivery) -> std::optional<Verdict> {
      // Some are done, some failed and wait, and some are out when it happens.
      int number = std::stoi(std::string(as_text(delivery.message.data)));
      if (number == 1) return Verdict{Kind::kFailed, std::chrono::hours(1), "later"};
      if (number > 5) return std::nullopt;
      return Verdict();
    };
    // One after the other: a topic of several partitions brings its messages in any order.
    for (int i = 0; i < 6; ++i) EXPECT_EQ(publish("t", std::to_string(i)), "ok");
    EXPECT_TRUE(until([&] { return taker->taken.size() == 6 && taker->out == 0; }));
    for (int i = 6; i < 20; ++i) EXPECT_EQ(publish("t", std::to_string(i)), "ok");
    EXPECT_TRUE(until([&] { return taker->out == 4; }));
    // What is done is written in the background.
    run_for(milliseconds(2'000));
    taker->queue.reset();
    start();
  }
  auto taker = take("t");
  auto distinct = [&] {
    std::set<std::string> texts;
    for (const std::string& each : taker->texts()) texts.insert(each);
    return texts.size();
  };
  EXPECT_TRUE(until([&] { return distinct() >= 15; }));
  run_for(milliseconds(50));
  std::set<std::string> numbers;
  for (const Delivery& each : taker->taken) {
    numbers.emplace(as_text(each.message.data));
    if (!GetParam().guarantees.counts_failures) continue;
    EXPECT_EQ(each.attempt, as_text(each.message.data) == "1" ? 2U : 1U);
  }
  EXPECT_TRUE(numbers.contains("1"));
  for (int i = 6; i < 20; ++i) EXPECT_TRUE(numbers.contains(std::to_string(i))) << i;
  EXPECT_FALSE(numbers.contains("0"));
}

}  // namespace weft::messaging
