#pragma once

#include <string>
#include <utility>
#include <vector>

#include "door/call.h"
#include "record/replay.h"

namespace weft {

// Serves the functions that one component imports of an interface from a recording. Whoever calls
// it is that component, and the ordinal of a function its place in the list.
class ReplayProvider final : public Provider {
 public:
  // The replay outlives it.
  ReplayProvider(Replay& replay, std::string app, std::string component,
                 std::vector<RecordedFunction> functions)
      : replay_(replay),
        app_(std::move(app)),
        component_(std::move(component)),
        functions_(std::move(functions)) {
    for (const RecordedFunction& each : functions_) replay_.serve(import_of(each));
  }

  void begin(Call& call, Completion done) override {
    const RecordedFunction& function = functions_[call.function().ordinal];
    auto answer = replay_.answer(import_of(function), function.type, call.arguments());
    if (!answer) return std::move(done).fail(std::move(answer).error());
    if ((*answer)->error) return std::move(done).fail(*(*answer)->error);
    // The recording stays as it is for as long as there are calls.
    std::move(done).finish_lending((*answer)->bodies->reply);
  }

 private:
  ImportName import_of(const RecordedFunction& function) const {
    return {app_, component_, function.interface, function.name};
  }

  Replay& replay_;
  const std::string app_;
  const std::string component_;
  const std::vector<RecordedFunction> functions_;
};

}  // namespace weft
