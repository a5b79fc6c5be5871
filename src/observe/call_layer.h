#pragma once

#include <string>
#include <utility>

#include "door/call.h"
#include "door/link_notes.h"
#include "observe/loop_observer.h"
#include "observe/spy_queue.h"

namespace weft {

// Of so many calls one is timed: reading the clock twice costs more than all the rest.
inline constexpr std::uint64_t kCallsTimed = 16;
static_assert(kLinkEvents == static_cast<std::size_t>(LinkEvent::kShed) + 1);

// Whom to tell of each call while somebody watches, and what.
struct SpiedAs {
  SpyQueue* queue = nullptr;  // Null: nobody. Outlives the layer.
  std::string by = {};        // What serves the calls.
  bool secret = false;        // Values may be secrets: they are never told.
};

// Counts the calls of one component to one capability, times some, makes a span of each call of a
// request whose trace is exported, and tells those who watch of each. Counts what the layers within
// do as well.
class CallLayer final : public Layer, public LinkNotes {
 public:
  // Both outlive it.
  CallLayer(CallMeter& meter, LoopObserver& observer, SpiedAs spied = {})
      : meter_(meter), observer_(observer), spied_(std::move(spied)) {}

  Flow before(Call& call, State& state) override {
    meter_.calls.add();
    bool traced = observer_.spans() != nullptr && call.context().trace.sampled();
    state.words[0] = state.words[1] = 0;
    if (spied_.queue != nullptr && spied_.queue->watched()) [[unlikely]]
      watch(call, state);
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
    if (state.words[1] != 0) [[unlikely]]
      tell(call, state.words[1]);
    return Flow::kOn;
  }

 private:
  void timed(Call& call, std::uint64_t began);
  void watch(Call& call, State& state) const;
  void tell(Call& call, std::uint64_t began) const;

  CallMeter& meter_;
  LoopObserver& observer_;
  const SpiedAs spied_;
  TraceIds ids_;
};

}  // namespace weft
