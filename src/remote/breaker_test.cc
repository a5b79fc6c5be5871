// Shows when a server that failed is tried again, and when requests stop waiting for it.
#include "remote/breaker.h"

#include <gtest/gtest.h>

namespace weft::remote {
namespace {

using std::chrono::milliseconds;

constexpr Breaker::Time kStart{std::chrono::hours(1)};

TEST(BreakerTest, IsClosedAndTriesAtOnceBeforeAnythingFailed) {
  Breaker breaker(1);
  EXPECT_TRUE(breaker.closed());
  EXPECT_TRUE(breaker.may_try(kStart));
}

TEST(BreakerTest, LetsRequestsWaitForItsPatienceAndOpensThen) {
  Breaker breaker(1);
  breaker.failed(kStart, kStart);
  EXPECT_TRUE(breaker.closed());
  EXPECT_FALSE(breaker.may_try(kStart));
  EXPECT_TRUE(breaker.may_try(kStart + kRetryFirst));
  breaker.failed(kStart + kPatience - milliseconds(1), kStart + kPatience - milliseconds(1));
  EXPECT_TRUE(breaker.closed());
  breaker.failed(kStart + kPatience, kStart + kPatience);
  EXPECT_FALSE(breaker.closed());
}

TEST(BreakerTest, WaitsLongerEachTimeButNeverLongerThanItsBound) {
  Breaker breaker(7);
  Breaker::Time now = kStart;
  auto full = kRetryFirst;
  for (int i = 0; i < 20; ++i) {
    breaker.failed(now, now);
    EXPECT_LE(breaker.next() - now, full);
    EXPECT_GE(breaker.next() - now, full / 2);
    now = breaker.next();
    full = std::min(full * 2, kRetryMax);
  }
  EXPECT_EQ(full, kRetryMax);
}

TEST(BreakerTest, ForgetsEverythingWithOneSuccess) {
  Breaker breaker(1);
  breaker.failed(kStart, kStart);
  breaker.failed(kStart + kPatience, kStart + kPatience);
  breaker.succeeded();
  EXPECT_TRUE(breaker.closed());
  EXPECT_TRUE(breaker.may_try(kStart));
  breaker.failed(kStart + std::chrono::hours(1), kStart + std::chrono::hours(1));
  EXPECT_TRUE(breaker.closed());
  EXPECT_LE(breaker.next(), kStart + std::chrono::hours(1) + kRetryFirst);
}

}  // namespace
}  // namespace weft::remote
