#pragma once

#include "door/call.h"
#include "door/link_notes.h"
#include "observe/loop_observer.h"

namespace weft {

// Of so many calls one is timed: reading the clock twice costs more than all the rest.
inline constexpr std::uint64_t kCallsTimed = 16;
static_assert(kLinkEvents == static_cast<std::size_t>(LinkEvent::kShed) + 1);

// Counts the calls of one component to one capability, times some, and makes a span of each call of
// a request whose trace is exported. Counts what the layers within do as well.
class CallLayer final : public Layer, public LinkNotes {
 public:
  // Both outlive it.
  CallLayer(CallMeter& meter, LoopObserver& observer) : meter_(meter), observer_(observer) {}

  Flow before(Call& call, State& state) override {
    meter_.calls.add();
    bool traced = observer_.spans() != nullptr && call.context().trace.sampled();
    state.words[0] = 0;
    if (meter_.calls.get() % kCallsTimed == 0 || traced) [[unlikely]] {
      state.words[0] =
          static_cast<std::uint64_t>(Deadline::Clock::now().time_since_epoch().count());
    }
    return Flow::kOn;
  }

  void note(LinkEvent event) override { meter_.events[static_cast<std::size_t>(event)].add(); }

  Flow after(Call& call, State& state) override {
    if (call.outcome() == Call::State::kFailed) [[unlikely]]
      meter_.failures.add();
    if (state.words[0] != 0) [[unlikely]]
      timed(call, state.words[0]);
    return Flow::kOn;
  }

 private:
  void timed(Call& call, std::uint64_t began);

  CallMeter& meter_;
  LoopObserver& observer_;
  TraceIds ids_;
};

}  // namespace weft
