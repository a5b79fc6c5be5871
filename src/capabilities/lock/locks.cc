// weft:lock/locks@0.1.0.
#include "capabilities/hosted.h"
#include "capabilities/lock/host.h"

namespace weft::lock {
namespace {

namespace wit = ::weft::wit::weft::lock_0_1_0::locks;

struct Blocking {
  using Guard = wit::Guard;
  using Host = wit::Host;
};

}  // namespace

Failure failure_of(const Error& error) {
  switch (error.code()) {
    case Errc::kDenied: return Failure::denied();
    case Errc::kInvalid: return Failure::invalid(error.message());
    case Errc::kTimeout: return Failure::timeout();
    case Errc::kLimit:
    case Errc::kConflict: return Failure::busy(error.message());
    case Errc::kUnavailable: return Failure::unavailable(error.message());
    default: return Failure::other(error.message());
  }
}

std::chrono::nanoseconds nanoseconds_of(std::uint64_t duration) {
  constexpr auto kMost = std::chrono::nanoseconds::max();
  if (duration > static_cast<std::uint64_t>(kMost.count())) return kMost;
  return std::chrono::nanoseconds(duration);
}

std::unique_ptr<Provider> locks_provider(std::unique_ptr<Spaces> spaces) {
  using Guard = HostGuard<Blocking>;
  return std::make_unique<Hosted<LocksHost<Blocking, Guard>, wit::Binding>>(std::move(spaces));
}

}  // namespace weft::lock
