#include "node/policy/rate.h"

#include <algorithm>

namespace weft::node {
namespace {

std::int64_t ns_of_one(const RateQuota& quota) {
  return 1'000'000'000 / quota.per_second;
}

// As of when one may be taken: while the work that is left is that of a burst less one.
std::int64_t wait_ns(const RateQuota& quota, std::int64_t worked_off, std::int64_t now) {
  std::int64_t ahead = ns_of_one(quota) * (std::max(quota.burst, 1u) - std::int64_t{1});
  return std::max<std::int64_t>(worked_off - ahead - now, 0);
}

}  // namespace

std::chrono::nanoseconds Rate::wait(const RateQuota& quota, SteadyNs now) const {
  if (quota.per_second == 0) return {};
  return std::chrono::nanoseconds(
      wait_ns(quota, worked_off_ns_.load(std::memory_order_relaxed), now.count()));
}

bool Rate::take(const RateQuota& quota, SteadyNs now) {
  if (quota.per_second == 0) return true;
  std::int64_t before = worked_off_ns_.load(std::memory_order_relaxed);
  for (;;) {
    if (wait_ns(quota, before, now.count()) > 0) return false;
    std::int64_t after = std::max(before, now.count()) + ns_of_one(quota);
    if (worked_off_ns_.compare_exchange_weak(before, after, std::memory_order_relaxed)) return true;
  }
}

}  // namespace weft::node
