#include "capabilities/driver_backend.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <optional>
#include <utility>

#include "io/loop.h"
#include "io/timer.h"

namespace weft {
namespace {

// For a driver that forgets its deadline.
constexpr std::chrono::seconds kGrace{2};

}  // namespace

Result<void> reach_now(Loop& loop, DriverBackend& backend) {
  TRY_VOID(backend.open());
  // Shared with the answer, which may come when nobody waits for it any more.
  auto outcome = std::make_shared<std::optional<Result<void>>>();
  Timer late(loop, [&loop] { loop.stop(); });
  late.arm(Deadline::after(kReachMax + kGrace));
  loop.post([&] {
    backend.reach(loop, Deadline::after(kReachMax), [&loop, outcome](Result<void> result) {
      if (outcome->has_value()) return;
      *outcome = std::move(result);
      // What was deferred beside this still runs.
      loop.post([&loop] { loop.stop(); });
    });
  });
  loop.context().restart();
  loop.run();
  if (outcome->has_value()) return **std::move(outcome);
  *outcome = Result<void>();
  return failure(Errc::kTimeout, fmt::format("no answer within {} s", kReachMax.count()));
}

}  // namespace weft
