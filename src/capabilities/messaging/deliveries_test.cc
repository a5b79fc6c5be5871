// Shows which of the messages that a queue holds goes when: what the suite of the drivers cannot
// see from outside.
#include "capabilities/messaging/deliveries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "io/loop.h"

namespace weft::messaging {
namespace {

using ::testing::ElementsAre;
using Kind = Verdict::Kind;
using std::chrono::milliseconds;

class DeliveriesTest : public ::testing::Test, private Receiver {
 protected:
  void deliver(Delivery delivery) override {
    brought_.push_back(delivery.id);
    if (ends_) deliveries_.reset();
  }
  Deliveries& with(Ordering ordering, std::size_t at_once) {
    deliveries_.emplace(loop_, Wanted{"g", ">", ordering, at_once}, static_cast<Receiver&>(*this));
    return *deliveries_;
  }
  // Adds it, in the order of its topic.
  void add(Deliveries::Id id, std::string topic) { deliveries_->add({id, {std::move(topic), {}}}); }
  void run(milliseconds time = milliseconds(0)) {
    loop_.post([this] {
      Loop::Turn turn(loop_);
      deliveries_->bring();
    });
    run_loop(time);
  }
  void run_loop(milliseconds time = milliseconds(0)) {
    loop_.context().restart();
    loop_.context().run_for(time + milliseconds(20));
  }

  Loop loop_;
  std::optional<Deliveries> deliveries_;
  std::vector<Deliveries::Id> brought_;
  bool ends_ = false;
};

TEST_F(DeliveriesTest, WhatComesLateWithALowerNumberWaitsForTheOneOfItsLaneThatIsOut) {
  Deliveries& deliveries = with(Ordering::kTopic, 8);
  add(5, "a");
  add(7, "a");
  run();
  add(3, "a");
  add(4, "b");
  run();
  EXPECT_THAT(brought_, ElementsAre(5, 4));
  deliveries.done(5);
  run();
  EXPECT_THAT(brought_, ElementsAre(5, 4, 3));
  deliveries.done(3);
  run();
  EXPECT_THAT(brought_, ElementsAre(5, 4, 3, 7));
}

TEST_F(DeliveriesTest, WhatIsBroughtAgainKeepsItsTurnAndCountsOnlyFailures) {
  Deliveries& deliveries = with(Ordering::kTopic, 1);
  add(1, "a");
  add(2, "a");
  run();
  deliveries.again(1, Kind::kAgain, milliseconds(1));
  run(milliseconds(30));
  EXPECT_EQ(deliveries.delivered(1).attempts, 0U);
  deliveries.again(1, Kind::kFailed, milliseconds(1));
  run(milliseconds(30));
  EXPECT_EQ(deliveries.delivered(1).attempts, 1U);
  EXPECT_THAT(brought_, ElementsAre(1, 1, 1));
}

TEST_F(DeliveriesTest, WhatIsForgottenIsInNobodysWay) {
  Deliveries& deliveries = with(Ordering::kTopic, 8);
  for (Deliveries::Id id : {1, 2, 3, 4}) add(id, "a");
  run();
  EXPECT_FALSE(deliveries.forget(1));  // It is out.
  EXPECT_TRUE(deliveries.forget(2));   // It waited for its turn.
  deliveries.done(1);
  run();
  deliveries.again(3, Kind::kFailed, std::chrono::hours(1));
  EXPECT_TRUE(deliveries.forget(3));  // It had its turn, and paused.
  run();
  EXPECT_THAT(brought_, ElementsAre(1, 3, 4));
  EXPECT_EQ(deliveries.size(), 1U);
}

TEST_F(DeliveriesTest, WhatIsInOrderWithNothingGoesByItsNumbersHoweverItCame) {
  Deliveries& deliveries = with(Ordering::kNone, 1);
  for (Deliveries::Id id : {5, 6, 8, 7, 9, 3}) add(id, "a");
  EXPECT_TRUE(deliveries.forget(6));
  EXPECT_TRUE(deliveries.forget(7));
  run();
  EXPECT_EQ(deliveries.room(), kReadAhead - 3);
  // It has failed, and goes before those that came later.
  deliveries.again(3, Kind::kFailed, milliseconds(1));
  run(milliseconds(30));
  EXPECT_THAT(brought_, ElementsAre(3, 5));
  for (Deliveries::Id id : {5, 3, 8, 9}) {
    deliveries.done(id);
    run();
  }
  EXPECT_THAT(brought_, ElementsAre(3, 5, 3, 8, 9));
  EXPECT_EQ(deliveries.size(), 0U);
}

TEST_F(DeliveriesTest, WhoIsBroughtOneMayEndThemAll) {
  Deliveries& deliveries = with(Ordering::kNone, 8);
  for (Deliveries::Id id : {1, 2, 3}) add(id, "a");
  ends_ = true;
  deliveries.bring();
  run_loop();
  EXPECT_THAT(brought_, ElementsAre(1));
}

TEST_F(DeliveriesTest, StoppedItGivesAwayAllThatIsNotOut) {
  Deliveries& deliveries = with(Ordering::kTopic, 2);
  add(1, "a");
  add(2, "a");
  add(3, "b");
  add(4, "c");
  run();
  deliveries.stop();
  std::vector<Deliveries::Id> rest;
  for (const auto& held : deliveries.take_rest()) rest.push_back(held.id);
  EXPECT_THAT(rest, ElementsAre(2, 4));
  EXPECT_EQ(deliveries.out(), 2U);
  deliveries.again(1, Kind::kFailed, milliseconds(1));
  deliveries.done(3);
  rest.clear();
  for (const auto& held : deliveries.take_rest()) rest.push_back(held.id);
  EXPECT_THAT(rest, ElementsAre(1));
  run(milliseconds(30));
  EXPECT_THAT(brought_, ElementsAre(1, 3));
}

TEST_F(DeliveriesTest, HasRoomForNoMoreThanItMayHold) {
  Deliveries& deliveries = with(Ordering::kTopic, 1);
  EXPECT_EQ(deliveries.room(), kReadAhead);
  for (Deliveries::Id id = 1; id <= kOpenMax; ++id) add(id, "a");
  EXPECT_EQ(deliveries.room(), 0U);
}

}  // namespace
}  // namespace weft::messaging
