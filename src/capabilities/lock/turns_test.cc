// Shows that those who wait are woken in their order, each on its loop, and that they are bounded.
#include "capabilities/lock/turns.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <vector>

#include "io/loop.h"

namespace weft::lock {
namespace {

struct Counted final : Waiter {
  void woken() override { ++count; }
  void closed() override {}
  int count = 0;
};

class TurnsTest : public ::testing::Test {
 protected:
  std::shared_ptr<Counted> enter(const std::string& lock, bool first) {
    auto waiter = std::make_shared<Counted>();
    auto entered = turns_.enter(lock, loop_, waiter);
    EXPECT_TRUE(entered.has_value());
    EXPECT_EQ(entered.value_or(!first), first);
    return waiter;
  }
  void run() {
    loop_.context().restart();
    loop_.context().poll();
  }

  Loop loop_;
  Turns turns_;
};

TEST_F(TurnsTest, GoFromOneToTheNext) {
  auto first = enter("a", true);
  auto second = enter("a", false);
  auto third = enter("a", false);
  auto other = enter("b", true);
  turns_.freed("a");
  EXPECT_EQ(first->count, 0);  // Later, on the loop.
  run();
  EXPECT_EQ(first->count, 1);
  // Who leaves from the middle wakes nobody.
  turns_.leave("a", *second);
  turns_.leave("a", *second);
  run();
  EXPECT_EQ(third->count, 0);
  turns_.leave("a", *first);
  run();
  EXPECT_EQ(third->count, 1);
  EXPECT_EQ(second->count + other->count, 0);
  EXPECT_TRUE(turns_.anyone("a"));
  turns_.leave("a", *third);
  EXPECT_FALSE(turns_.anyone("a"));
  turns_.freed("a");
  run();
  EXPECT_EQ(first->count + third->count, 2);
}

TEST_F(TurnsTest, AreBounded) {
  std::vector<std::shared_ptr<Counted>> all;
  for (std::size_t i = 0; i < kWaitersMax; ++i) all.push_back(enter("a", i == 0));
  auto beyond = turns_.enter("a", loop_, std::make_shared<Counted>());
  ASSERT_FALSE(beyond.has_value());
  EXPECT_EQ(beyond.error().code(), Errc::kLimit);
  auto other = enter("b", true);
  turns_.leave("a", *all.back());
  all.push_back(enter("a", false));
  for (const auto& each : all) turns_.leave("a", *each);
  // Of all locks together.
  std::vector<std::shared_ptr<Counted>> many;
  for (std::size_t i = 1; i < kWaitersOfAllMax; ++i) {
    many.push_back(enter(std::to_string(i), true));
  }
  EXPECT_FALSE(turns_.enter("z", loop_, std::make_shared<Counted>()).has_value());
  for (std::size_t i = 1; i < kWaitersOfAllMax; ++i) {
    turns_.leave(std::to_string(i), *many[i - 1]);
  }
  EXPECT_TRUE(turns_.enter("z", loop_, all[0]).has_value());
}

}  // namespace
}  // namespace weft::lock
