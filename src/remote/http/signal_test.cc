// Shows that a task waits for a signal or its deadline, and goes with a loop that ends meanwhile.
#include "remote/http/signal.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>

#include "io/loop.h"
#include "io/test_task.h"

namespace weft::remote {
namespace {

// Says that the frame it is in has gone.
struct Gone {
  explicit Gone(bool& told) : gone(told) {}
  Gone(const Gone&) = delete;
  ~Gone() { gone = true; }
  bool& gone;
};

Task<void> wait_for_nothing(Loop* loop, bool* gone) {
  Gone tell(*gone);
  Signal signal(*loop);
  co_return co_await signal.wait(Deadline::after(std::chrono::hours(1)));
}

TEST(Signal, EndsAWait) {
  Loop loop;
  Signal signal(loop);
  loop.post([&] { signal.raise(); });
  auto waited = testing::run_task(loop, signal.wait(Deadline::after(std::chrono::seconds(20))));
  EXPECT_TRUE(waited.has_value());
}

TEST(Signal, AWaitEndsAtItsDeadline) {
  Loop loop;
  Signal signal(loop);
  auto waited = testing::run_task(loop, signal.wait(Deadline::after(std::chrono::milliseconds(5))));
  ASSERT_FALSE(waited.has_value());
  EXPECT_EQ(waited.error().code(), Errc::kTimeout);
}

TEST(Signal, ATaskThatWaitsGoesWithItsLoop) {
  bool gone = false;
  std::optional<Loop> loop(std::in_place);
  loop->spawn(wait_for_nothing(&*loop, &gone));
  auto paused =
      testing::run_task(*loop, pause(*loop, Deadline::after(std::chrono::milliseconds(5))));
  EXPECT_TRUE(paused.has_value());
  EXPECT_FALSE(gone);
  loop.reset();
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace weft::remote
