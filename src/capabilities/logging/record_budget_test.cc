// Shows that a component's records are bounded in number and that none is dropped without a count.
#include "capabilities/logging/record_budget.h"

#include <gtest/gtest.h>

namespace weft::logging {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RecordBudget, passes_a_burst_and_then_a_rate) {
  RecordBudget::Time now{};
  RecordBudget budget(now);
  int passed = 0;
  for (int i = 0; i < 5000; ++i) passed += budget.take(now) ? 1 : 0;
  EXPECT_EQ(passed, 1000);
  EXPECT_EQ(budget.take_dropped(), 4000u);
  EXPECT_EQ(budget.take_dropped(), 0u);
  EXPECT_TRUE(budget.take(now + milliseconds(5)));
  EXPECT_FALSE(budget.take(now + milliseconds(5)));
  passed = 0;
  for (int i = 0; i < 5000; ++i) passed += budget.take(now + milliseconds(5) + seconds(1)) ? 1 : 0;
  EXPECT_EQ(passed, 200);
}

TEST(RecordBudget, a_long_silence_gives_one_burst_and_no_more) {
  RecordBudget::Time now{};
  RecordBudget budget(now);
  int passed = 0;
  for (int i = 0; i < 5000; ++i) passed += budget.take(now + seconds(3600)) ? 1 : 0;
  EXPECT_EQ(passed, 1000);
}

}  // namespace
}  // namespace weft::logging
