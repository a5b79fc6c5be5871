// Shows which statements a connection prepares: those that come again, no more than are remembered.
#include "capabilities/sql/drivers/postgres/prepared.h"

#include <gtest/gtest.h>

namespace weft::sql::postgres {
namespace {

TEST(Prepared, a_statement_is_known_the_second_time) {
  Prepared prepared;
  EXPECT_FALSE(prepared.find("a")->seen);
  EXPECT_FALSE(prepared.find("b")->seen);
  EXPECT_TRUE(prepared.find("a")->seen);
}

TEST(Prepared, the_one_that_was_used_longest_ago_makes_room) {
  Prepared prepared;
  prepared.find("first")->name = "w1";
  for (std::size_t i = 1; i < kRememberedMax; ++i) prepared.find(std::to_string(i));
  EXPECT_TRUE(prepared.find("first")->seen);
  EXPECT_TRUE(prepared.take_dropped().empty());
  prepared.find("one more");
  EXPECT_TRUE(prepared.take_dropped().empty()) << "that one was never prepared";
  EXPECT_EQ(prepared.find("first")->name, "w1");
  EXPECT_FALSE(prepared.find("1")->seen) << "it was forgotten";
  for (std::size_t i = 0; i < kRememberedMax; ++i) prepared.find("new" + std::to_string(i));
  EXPECT_EQ(prepared.take_dropped(), std::vector<std::string>{"w1"});
  EXPECT_TRUE(prepared.take_dropped().empty());
}

TEST(Prepared, large_ones_are_not_remembered) {
  Prepared prepared;
  EXPECT_EQ(prepared.find(std::string(kRememberedBytesMax + 1, 'x')), nullptr);
  EXPECT_NE(prepared.find(std::string(kRememberedBytesMax, 'x')), nullptr);
}

}  // namespace
}  // namespace weft::sql::postgres
