// weft:lock/async-locks@0.1.0.
#include "wit/weft/lock_0_1_0/async_locks.h"

#include "capabilities/hosted.h"
#include "capabilities/lock/host.h"

namespace weft::lock {
namespace {

namespace wit = ::weft::wit::weft::lock_0_1_0::async_locks;

struct Async {
  using Guard = wit::Guard;
  using Host = wit::Host;
};

class AsyncGuard final : public HostGuard<Async> {
 public:
  using HostGuard::HostGuard;
  Answer<void> lost(Call&) override { return answer(hold().lost()); }
};

}  // namespace

std::unique_ptr<Provider> async_locks_provider(std::unique_ptr<Spaces> spaces) {
  return std::make_unique<Hosted<LocksHost<Async, AsyncGuard>, wit::Binding>>(std::move(spaces));
}

}  // namespace weft::lock
