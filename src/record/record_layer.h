#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "door/call.h"
#include "door/confidential.h"
#include "record/call_recorder.h"

namespace weft {

// Hands each call of one imported function to the recorder, with the outcome that its caller gets:
// the outermost layer. One that the caller did not wait for has no outcome and is left out.
class RecordLayer final : public Layer {
 public:
  // The recorder outlives it.
  RecordLayer(CallRecorder& recorder, std::string interface, std::string name,
              std::string signature, std::string by)
      : recorder_(recorder),
        hidden_(is_confidential(interface)),
        function_(recorder.function(std::move(interface), std::move(name), std::move(signature),
                                    std::move(by))) {}

  Flow before(Call& call, State& state) override {
    state.words[0] = static_cast<std::uint64_t>(Deadline::Clock::now().time_since_epoch().count());
    state.words[1] = call.arguments().size();
    if (function_ && !hidden_ && state.words[1] <= kRecordedValueMax) call.keep_arguments();
    return Flow::kOn;
  }

  Flow after(Call& call, State& state) override {
    if (call.cancelled()) return Flow::kOn;
    if (!function_) {
      recorder_.lose();
      return Flow::kOn;
    }
    Deadline::Clock::time_point began{
        Deadline::Clock::duration(static_cast<Deadline::Clock::rep>(state.words[0]))};
    TakenCall taken{.app = std::string(call.context().app()),
                    .component = std::string(call.context().component()),
                    .time = Deadline::Clock::now() - began};
    taken.arguments.size = state.words[1];
    taken.arguments.hidden = hidden_;
    taken.reply.hidden = hidden_;
    if (!hidden_ && state.words[1] <= kRecordedValueMax) {
      taken.arguments = TakenValue::of(call.arguments());
    }
    if (call.outcome() == Call::State::kFailed) {
      taken.error = call.error();
    } else if (!hidden_) {
      taken.reply = TakenValue::of(call.reply());
    }
    recorder_.add(*function_, std::move(taken));
    return Flow::kOn;
  }

 private:
  CallRecorder& recorder_;
  const bool hidden_;                    // What is in its calls may be secret.
  std::optional<std::size_t> function_;  // Absent: its calls are lost.
};

}  // namespace weft
