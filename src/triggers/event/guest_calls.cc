#include "triggers/event/guest_calls.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/check.h"
#include "io/loop.h"

namespace weft {
namespace {

Result<void> result_of(RunOutcome outcome) {
  using Ending = RunOutcome::Ending;
  switch (outcome.ending) {
    case Ending::kDone: return {};
    // It returned nothing, whatever its code: a handler that leaves has not handled anything.
    case Ending::kExited:
      return failure(Errc::kTrap, "the component left with exit code " +
                                      std::to_string(outcome.exit_code) +
                                      " in the middle of a call");
    case Ending::kLimited:
      return failure(outcome.limit == LimitKind::kTime ? Errc::kTimeout : Errc::kLimit,
                     std::move(outcome.message));
    case Ending::kNoRoom: return failure(Errc::kUnavailable, std::move(outcome.message));
    case Ending::kFailed: return failure(Errc::kInternal, std::move(outcome.message));
    default: return failure(Errc::kTrap, std::move(outcome.message));
  }
}

}  // namespace

GuestCalls::GuestCalls(Deployment& deployment, std::vector<std::uint32_t> functions,
                       CallSettings settings)
    : deployment_(deployment),
      functions_(std::move(functions)),
      settings_(settings),
      tired_(deployment.engine.loop(), [this] { let_go(); }) {}

void GuestCalls::call(std::size_t ordinal, Arguments arguments, Replied replied, Ended ended) {
  CHECK(ordinal < functions_.size());
  // A guest may end while it waits.
  while (!idle_.empty() && idle_.back().guest->over()) idle_.pop_back();
  if (idle_.empty() && deployment_.contexts >= deployment_.limits.instances_max) {
    deployment_.engine.loop().defer([ended = std::move(ended)]() mutable {
      ended(failure(Errc::kUnavailable, "the component has as many instances as it may have"));
    });
    return;
  }
  std::uint64_t number = ++begun_;
  Running& running = running_.emplace(number, Running{std::move(ended)}).first->second;
  GuestRun::Exchange exchange{std::move(arguments), std::move(replied), settings_.deadline};
  auto done = [this, number](RunOutcome outcome, BytesView) { end(number, std::move(outcome)); };
  std::uint32_t function = functions_[ordinal];
  if (settings_.instances == CallSettings::Instances::kReused) {
    running.kept = idle_or_new();
    running.kept->call(function, std::move(exchange), std::move(done));
  } else {
    running.run = GuestRun::call_with(deployment_, function, std::move(exchange), std::move(done));
  }
}

std::unique_ptr<KeptGuest> GuestCalls::idle_or_new() {
  if (idle_.empty()) return KeptGuest::make(deployment_);
  std::unique_ptr<KeptGuest> guest = std::move(idle_.back().guest);
  idle_.pop_back();
  return guest;
}

void GuestCalls::end(std::uint64_t number, RunOutcome outcome) {
  auto found = running_.find(number);
  CHECK(found != running_.end());
  Running over = std::move(found->second);
  running_.erase(found);
  Ended ended = std::move(over.ended);
  Loop& loop = deployment_.engine.loop();
  bool full = deployment_.contexts >= deployment_.limits.instances_max;
  if (over.kept != nullptr && !over.kept->over() && !full) {
    idle_.push_back(
        {std::move(over.kept), Deadline::at(loop.now() + deployment_.limits.reuse_idle)});
    if (idle_.size() == 1) tired_.arm(idle_.front().until);
  } else {
    // What has just told of its end does not go inside that.
    loop.defer([run = std::move(over.run), kept = std::move(over.kept)] {});
  }
  ended(result_of(std::move(outcome)));
}

// Those that nobody needed for so long.
void GuestCalls::let_go() {
  auto now = deployment_.engine.loop().now();
  std::erase_if(idle_,
                [&](const Idle& idle) { return idle.until.when() <= now || idle.guest->over(); });
  if (!idle_.empty()) tired_.arm(idle_.front().until);
}

}  // namespace weft
