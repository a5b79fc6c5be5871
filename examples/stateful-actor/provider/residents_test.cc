#include "provider/residents.h"

#include <gmock/gmock.h>

namespace example {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Numbers = Residents<int>;

std::shared_ptr<const int> add(Numbers& to, const std::string& hash, std::uint64_t bytes) {
  EXPECT_EQ(to.reserve(hash, bytes), Numbers::Room::kMade);
  auto value = std::make_shared<const int>(static_cast<int>(bytes));
  to.put(hash, value);
  return value;
}

// What was used last stays, what was not goes.
TEST(Residents, TheLongestUnusedMakesRoom) {
  Numbers all(100);
  add(all, "a", 40);
  add(all, "b", 40);
  EXPECT_THAT(all.find("a"), testing::Pointee(40));
  add(all, "c", 40);
  EXPECT_THAT(all.hashes(), ElementsAre("c", "a"));
  EXPECT_EQ(all.find("b"), nullptr);
  EXPECT_EQ(all.bytes(), 80U);
  EXPECT_EQ(all.evictions(), 1U);
}

// Several go for a large one, and no more than have to.
TEST(Residents, AsManyGoAsHaveTo) {
  Numbers all(100);
  for (const char* each : {"a", "b", "c", "d"}) add(all, each, 25);
  add(all, "e", 50);
  EXPECT_THAT(all.hashes(), ElementsAre("e", "d", "c"));
  EXPECT_EQ(all.bytes(), 100U);
}

// What somebody works with keeps its room, and nothing goes in vain.
TEST(Residents, WhatIsInUseStays) {
  Numbers all(100);
  std::shared_ptr<const int> held = add(all, "a", 60);
  add(all, "b", 30);
  EXPECT_EQ(all.reserve("c", 50), Numbers::Room::kTaken);
  EXPECT_THAT(all.hashes(), ElementsAre("b", "a"));
  EXPECT_EQ(all.remove("a"), 0U);
  held = nullptr;
  EXPECT_EQ(all.reserve("c", 50), Numbers::Room::kMade);
  EXPECT_THAT(all.hashes(), ElementsAre("c", "b"));
}

// What is on its way has its room already, and no value.
TEST(Residents, WhatIsOnItsWayCounts) {
  Numbers all(100);
  EXPECT_EQ(all.reserve("a", 70), Numbers::Room::kMade);
  EXPECT_EQ(all.find("a"), nullptr);
  EXPECT_EQ(all.reserve("b", 40), Numbers::Room::kTaken);
  EXPECT_EQ(all.remove("a"), 70U);
  EXPECT_EQ(all.reserve("b", 40), Numbers::Room::kMade);
}

// More than the budget is refused, whatever is there; exactly the budget is not.
TEST(Residents, TheBudgetIsTheBound) {
  Numbers all(100);
  add(all, "a", 10);
  EXPECT_EQ(all.reserve("b", 101), Numbers::Room::kTooLarge);
  EXPECT_THAT(all.hashes(), ElementsAre("a"));
  EXPECT_EQ(all.reserve("b", 100), Numbers::Room::kMade);
  EXPECT_THAT(all.hashes(), ElementsAre("b"));
}

// What is removed is gone, and its bytes are free.
TEST(Residents, RemoveSaysHowMuch) {
  Numbers all(100);
  add(all, "a", 40);
  EXPECT_EQ(all.remove("a"), 40U);
  EXPECT_EQ(all.remove("a"), 0U);
  EXPECT_THAT(all.hashes(), IsEmpty());
  EXPECT_EQ(all.bytes(), 0U);
  EXPECT_EQ(all.evictions(), 0U);
}

}  // namespace
}  // namespace example
