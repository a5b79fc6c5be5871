// Asking a driver's server, on a loop of its own: what is heard, and how long that is waited for.
#include "capabilities/driver_backend.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "io/loop.h"
#include "io/timer.h"

namespace weft {
namespace {

struct Played final : DriverBackend {
  explicit Played(Result<void> answer) : answer(std::move(answer)) {}

  Result<void> open() override { return opened; }
  void reach(Loop& loop, Deadline, Reached done) override {
    timer.emplace(loop, [this, done = std::move(done)]() mutable { done(answer); });
    timer->arm(Deadline::after(std::chrono::milliseconds(20)));
  }

  Result<void> opened;
  Result<void> answer;
  std::optional<Timer> timer;
};

struct Embedded final : DriverBackend {
  Result<void> open() override { return {}; }
};

TEST(ReachNow, GivesWhatTheServerAnsweredLater) {
  Loop loop;
  Played good(Result<void>{});
  EXPECT_TRUE(reach_now(loop, good).has_value());
  Played bad(failure(Errc::kDenied, "wrong password"));
  Result<void> refused = reach_now(loop, bad);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Errc::kDenied);
}

TEST(ReachNow, AsksNobodyWhereOpeningFails) {
  Loop loop;
  Played closed(Result<void>{});
  closed.opened = failure(Errc::kIo, "no such folder");
  Result<void> result = reach_now(loop, closed);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message(), "no such folder");
  EXPECT_FALSE(closed.timer.has_value());
}

TEST(ReachNow, FindsWhatHasNoServerReachable) {
  Loop loop;
  Embedded embedded;
  EXPECT_TRUE(reach_now(loop, embedded).has_value());
  EXPECT_EQ(embedded.health(), nullptr);
}

}  // namespace
}  // namespace weft
