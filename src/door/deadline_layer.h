#pragma once

#include <chrono>

#include "door/call.h"

namespace weft {

// Gives each call of a link so much time, where its caller has more. Whoever serves it keeps the
// deadline.
class DeadlineLayer final : public Layer {
 public:
  explicit DeadlineLayer(std::chrono::milliseconds most) : most_(most) {}

  Flow before(Call& call, State&) override {
    call.shorten(Deadline::after(most_));
    return Flow::kOn;
  }

 private:
  const std::chrono::milliseconds most_;
};

}  // namespace weft
