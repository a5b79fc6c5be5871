#include "triggers/event/guest_calls.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "io/loop.h"

namespace weft {
namespace {

Result<void> result_of(RunOutcome outcome) {
  using Ending = RunOutcome::Ending;
  switch (outcome.ending) {
    case Ending::kDone:
    case Ending::kExited: return {};
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
                       std::chrono::milliseconds deadline)
    : deployment_(deployment), functions_(std::move(functions)), deadline_(deadline) {}

void GuestCalls::call(std::size_t ordinal, Arguments arguments, Replied replied, Ended ended) {
  CHECK(ordinal < functions_.size());
  if (deployment_.contexts >= deployment_.limits.instances_max) {
    deployment_.engine.loop().defer([ended = std::move(ended)]() mutable {
      ended(failure(Errc::kUnavailable, "the component has as many instances as it may have"));
    });
    return;
  }
  std::uint64_t number = ++begun_;
  Running& running = running_.emplace(number, Running{nullptr, std::move(ended)}).first->second;
  running.run = GuestRun::call_with(
      deployment_, functions_[ordinal], {std::move(arguments), std::move(replied), deadline_},
      [this, number](RunOutcome outcome, BytesView) { end(number, std::move(outcome)); });
}

void GuestCalls::end(std::uint64_t number, RunOutcome outcome) {
  auto found = running_.find(number);
  CHECK(found != running_.end());
  Running over = std::move(found->second);
  running_.erase(found);
  Ended ended = std::move(over.ended);
  // What has just told of its end does not go inside that.
  deployment_.engine.loop().defer([run = std::move(over.run)] {});
  ended(result_of(std::move(outcome)));
}

}  // namespace weft
