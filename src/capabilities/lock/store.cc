#include "capabilities/lock/store.h"

#include <fmt/format.h>

#include <random>

#include "capabilities/lock/turns.h"

namespace weft::lock {
namespace {

std::mt19937_64& random_numbers() {
  thread_local std::mt19937_64 numbers = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return numbers;
}

}  // namespace

Backend::Backend() : turns_(std::make_shared<Turns>()) {}
Backend::~Backend() = default;

Result<void> check_name(std::string_view name) {
  if (!name.empty() && name.size() <= kNameBytesMax && name.find('\0') == name.npos) return {};
  return failure(Errc::kInvalid,
                 fmt::format("a lock's name of {} bytes: it has 1 to {}, and none of them is zero",
                             name.size(), kNameBytesMax));
}

Result<void> check_ttl(std::chrono::nanoseconds ttl) {
  if (ttl >= kTtlMin && ttl <= kTtlMax) return {};
  return failure(Errc::kInvalid, fmt::format("a time to live of {} ns: from {} ms to {} ms",
                                             ttl.count(), kTtlMin.count(), kTtlMax.count()));
}

Result<void> check_wait(std::chrono::nanoseconds wait) {
  if (wait.count() >= 0 && wait <= kWaitMax) return {};
  return failure(Errc::kInvalid,
                 fmt::format("a wait of {} ns: {} ms at most", wait.count(), kWaitMax.count()));
}

std::string new_holder() {
  std::mt19937_64& numbers = random_numbers();
  return fmt::format("{:016x}{:016x}", numbers(), numbers());
}

Milliseconds ask_again() {
  std::uniform_int_distribution<Milliseconds::rep> around(kAskAgain.count() / 2,
                                                          kAskAgain.count() * 3 / 2);
  return Milliseconds(around(random_numbers()));
}

std::uint64_t calendar_microseconds() {
  auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

}  // namespace weft::lock
