// Shows that publishers wait for groups that are being made, on whatever loop, and not for ever.
#include "capabilities/messaging/beginnings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <vector>

#include "io/loop.h"

namespace weft::messaging {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class BeginningsTest : public ::testing::Test {
 protected:
  void publish(int number) {
    after_->run([this, number] { published_.push_back(number); });
  }
  void poll() {
    loop_.context().restart();
    loop_.context().poll();
  }

  Loop loop_;
  std::shared_ptr<Beginnings> groups_ = std::make_shared<Beginnings>(std::chrono::hours(1));
  std::unique_ptr<AfterGroups> after_ = std::make_unique<AfterGroups>(loop_, groups_);
  std::vector<int> published_;
};

TEST_F(BeginningsTest, WhereNoGroupBeginsNothingWaits) {
  publish(1);
  EXPECT_THAT(published_, ElementsAre(1));
}

TEST_F(BeginningsTest, WhatIsPublishedWaitsForAllGroupsInItsOrder) {
  auto one = groups_->begins();
  auto other = groups_->begins();
  publish(1);
  groups_->ended(one);
  groups_->ended(one);
  publish(2);
  poll();
  EXPECT_THAT(published_, IsEmpty());
  groups_->ended(other);
  // It comes before the loop has heard of it.
  publish(3);
  poll();
  EXPECT_THAT(published_, ElementsAre(1, 2, 3));
}

TEST_F(BeginningsTest, EachLoopIsToldWhereTheGroupWasMade) {
  Loop other;
  AfterGroups after_too(other, groups_);
  auto one = groups_->begins();
  publish(1);
  after_too.run([&] { published_.push_back(2); });
  groups_->ended(one);
  poll();
  EXPECT_THAT(published_, ElementsAre(1));
  other.context().poll();
  EXPECT_THAT(published_, ElementsAre(1, 2));
}

TEST_F(BeginningsTest, AGroupThatIsNotMadeIsNotWaitedForBeyondItsTime) {
  groups_ = std::make_shared<Beginnings>(milliseconds(20));
  after_ = std::make_unique<AfterGroups>(loop_, groups_);
  groups_->begins();
  publish(1);
  EXPECT_THAT(published_, IsEmpty());
  Deadline limit = Deadline::after(std::chrono::seconds(20));
  while (published_.empty() && !limit.passed()) {
    loop_.context().restart();
    loop_.context().run_for(milliseconds(2));
  }
  publish(2);
  EXPECT_THAT(published_, ElementsAre(1, 2));
}

TEST_F(BeginningsTest, WhatWaitsGoesWithItsLoop) {
  auto one = groups_->begins();
  publish(1);
  after_.reset();
  groups_->ended(one);
  poll();
  EXPECT_THAT(published_, IsEmpty());
}

TEST_F(BeginningsTest, NoMoreWaitsThanTheBound) {
  groups_->begins();
  for (std::size_t i = 0; i < kBeginningWaitsMax; ++i) {
    ASSERT_TRUE(after_->room().has_value());
    publish(1);
  }
  EXPECT_EQ(after_->room().error().code(), Errc::kLimit);
}

}  // namespace
}  // namespace weft::messaging
