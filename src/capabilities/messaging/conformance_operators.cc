// Shows that a driver does what broker.h promises to operators: a dead letter comes again to its
// group alone and is one until it is done, and what is published is shown without being taken.
#include <gmock/gmock.h>

#include "capabilities/messaging/conformance.h"

namespace weft::messaging {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = Verdict::Kind;
using std::chrono::milliseconds;

namespace {

std::optional<Verdict> never(const Delivery&) {
  return Verdict{Kind::kDead, {}, "no"};
}

std::optional<Verdict> well(const Delivery&) {
  return Verdict();
}

}  // namespace

TEST_P(Conformance, ADeadLetterComesAgainToItsGroupAndIsGoneWhenItIsDone) {
  if (!GetParam().guarantees.replays) GTEST_SKIP() << "its driver brings none again";
  auto taker = take("t");
  auto other = take("t", "other");
  taker->judge = [](const Delivery& delivery) -> std::optional<Verdict> {
    if (delivery.attempt < 2) return Verdict{Kind::kFailed, milliseconds(5), "no"};
    return Verdict{Kind::kDead, {}, "no"};
  };
  EXPECT_EQ(publish("t", "1", {{"key", "k"}}), "ok");
  EXPECT_TRUE(until([&] { return dead().size() == 1; }));
  std::vector<DeadLetter> letters = dead();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].group, "g");
  EXPECT_EQ(letters[0].attempts, 2U);
  EXPECT_EQ(replay("g", letters[0].number + 1), "not-found");
  EXPECT_EQ(replay("other", letters[0].number), "not-found");
  taker->judge = well;
  EXPECT_EQ(replay("g", letters[0].number), "ok");
  EXPECT_TRUE(until([&] { return taker->taken.size() == 3; }));
  EXPECT_EQ(taker->taken[2].message, letters[0].message);
  EXPECT_EQ(taker->taken[2].attempt, 1U);
  EXPECT_TRUE(until([&] { return dead().empty(); }));
  EXPECT_EQ(replay("g", letters[0].number), "not-found");
  EXPECT_TRUE(until([&] { return other->taken.size() == 1; }));
  run_for(milliseconds(30));
  EXPECT_EQ(other->taken.size(), 1U);
  EXPECT_EQ(taker->taken.size(), 3U);
}

TEST_P(Conformance, WhatIsBroughtAgainInVainIsOneDeadLetterStill) {
  if (!GetParam().guarantees.replays) GTEST_SKIP() << "its driver brings none again";
  auto taker = take("t");
  taker->judge = never;
  EXPECT_EQ(publish("t", "1"), "ok");
  EXPECT_TRUE(until([&] { return dead().size() == 1; }));
  for (std::size_t turn = 2; turn < 5; ++turn) {
    EXPECT_TRUE(until([&] { return dead().size() == 1 && taker->out == 0; }));
    ASSERT_EQ(dead().size(), 1U);
    EXPECT_EQ(replay_soon("g", dead()[0].number), "ok");
    EXPECT_TRUE(until([&] { return taker->taken.size() == turn; }));
  }
  EXPECT_TRUE(until([&] { return taker->out == 0; }));
  run_for(milliseconds(30));
  EXPECT_EQ(dead().size(), 1U);
}

TEST_P(Conformance, WhatIsBroughtAgainAndNotDoneStaysADeadLetter) {
  if (!GetParam().guarantees.replays) GTEST_SKIP() << "its driver brings none again";
  auto taker = take("t");
  taker->judge = never;
  EXPECT_EQ(publish("t", "1"), "ok");
  EXPECT_TRUE(until([&] { return dead().size() == 1; }));
  // All that is written down by then.
  stop(std::move(taker));
  taker = take("t");
  taker->judge = [](const Delivery&) { return std::nullopt; };
  auto letters = dead();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(replay_soon("g", letters[0].number), "ok");
  EXPECT_TRUE(until([&] { return taker->taken.size() == 1; }));
  // It is out, and comes no second time.
  EXPECT_EQ(replay("g", letters[0].number), "conflict");
  EXPECT_EQ(dead().size(), 1U);
  // Whoever has it ends: it is as before.
  taker->queue.reset();
  EXPECT_EQ(replay("g", letters[0].number), "unavailable");
  EXPECT_EQ(dead().size(), 1U);
  taker = take("t");
  EXPECT_EQ(replay_soon("g", letters[0].number), "ok");
  EXPECT_TRUE(until([&] { return taker->taken.size() == 1; }));
  EXPECT_TRUE(until([&] { return dead().empty(); }));
}

TEST_P(Conformance, WhatIsBroughtAgainOutlivesACrashAsADeadLetter) {
  if (!GetParam().guarantees.replays) GTEST_SKIP() << "its driver brings none again";
  if (!GetParam().guarantees.keeps_letters) GTEST_SKIP() << "its dead letters are in memory";
  {
    auto taker = take("t");
    taker->judge = never;
    EXPECT_EQ(publish("t", "1"), "ok");
    EXPECT_TRUE(until([&] { return dead().size() == 1; }));
    stop(std::move(taker));
    taker = take("t");
    taker->judge = [](const Delivery&) { return std::nullopt; };
    EXPECT_EQ(replay_soon("g", dead().at(0).number), "ok");
    EXPECT_TRUE(until([&] { return taker->taken.size() == 1; }));
    taker->queue.reset();
    start();
  }
  auto taker = take("t");
  run_for(milliseconds(100));
  EXPECT_THAT(taker->texts(), IsEmpty());
  EXPECT_EQ(dead().size(), 1U);
}

TEST_P(Conformance, WhatIsPublishedIsShownAndNotTaken) {
  if (!GetParam().guarantees.watches) GTEST_SKIP() << "its driver shows nothing";
  auto taker = take(">");
  std::vector<std::string> seen;
  auto watch = broker_->watch("orders.*", [&](Message message) {
    seen.push_back(message.topic + "=" + std::string(as_text(message.data)));
  });
  ASSERT_TRUE(watch) << watch.error().message();
  // A server may take the wish up a little later.
  std::size_t probes = 0;
  for (Deadline limit = Deadline::after(std::chrono::seconds(20)); seen.empty() && !limit.passed();
       ++probes) {
    EXPECT_EQ(publish("orders.probe", "?", {{"key", "k"}}), "ok");
    run_for(milliseconds(5));
  }
  // Of one key they come in order: behind the last of them there is none.
  EXPECT_EQ(publish("orders.probe", "last", {{"key", "k"}}), "ok");
  ++probes;
  EXPECT_TRUE(until([&] {
    return taker->taken.size() == probes && !seen.empty() && seen.back() == "orders.probe=last";
  }));
  seen.clear();
  EXPECT_EQ(publish("users.new", "1"), "ok");
  EXPECT_EQ(publish("orders.new", "2"), "ok");
  EXPECT_TRUE(until([&] { return !seen.empty() && taker->taken.size() == probes + 2; }));
  run_for(milliseconds(30));
  EXPECT_THAT(seen, ElementsAre("orders.new=2"));
  EXPECT_EQ((*watch)->skipped(), 0U);
  watch->reset();
  EXPECT_EQ(publish("orders.new", "3"), "ok");
  EXPECT_TRUE(until([&] { return taker->taken.size() == probes + 3; }));
  run_for(milliseconds(30));
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_FALSE(broker_->watch("a..b", [](Message) {}));
}

}  // namespace weft::messaging
