#pragma once

#include <chrono>
#include <cstdint>

namespace weft {

// How a trigger calls its component: what every [[trigger.NAME]] of a capability may say.
struct CallSettings {
  enum class Instances : std::uint8_t {
    kFresh,   // An instance for each call.
    kReused,  // One call after the other in the same: it remembers what was before.
  };

  // Of each call, where the component's own limit is not shorter. 0: there is none but that.
  std::chrono::milliseconds deadline{0};
  Instances instances = Instances::kFresh;
};

}  // namespace weft
