// Shows that a component's records are bounded in number and that none is dropped without a count.
#include "base/record_gate.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RecordGate, passes_a_burst_and_then_a_rate) {
  RecordGate::Time now{};
  RecordGate gate(now);
  int passed = 0;
  for (int i = 0; i < 5000; ++i) passed += gate.pass(now) ? 1 : 0;
  EXPECT_EQ(passed, 1000);
  EXPECT_EQ(gate.take_dropped(), 4000u);
  EXPECT_EQ(gate.take_dropped(), 0u);
  EXPECT_TRUE(gate.pass(now + milliseconds(5)));
  EXPECT_FALSE(gate.pass(now + milliseconds(5)));
  passed = 0;
  for (int i = 0; i < 5000; ++i) passed += gate.pass(now + milliseconds(5) + seconds(1)) ? 1 : 0;
  EXPECT_EQ(passed, 200);
}

TEST(RecordGate, a_long_silence_gives_one_burst_and_no_more) {
  RecordGate::Time now{};
  RecordGate gate(now);
  int passed = 0;
  for (int i = 0; i < 5000; ++i) passed += gate.pass(now + seconds(3600)) ? 1 : 0;
  EXPECT_EQ(passed, 1000);
}

}  // namespace
}  // namespace weft
