#pragma once

#include <cstdint>

namespace weft {

// What the layers of a link do with its calls, for whoever counts it.
enum class LinkEvent : std::uint8_t {
  kRetry,   // One more attempt.
  kHit,     // Answered from the cache.
  kMiss,    // Asked for, and not in the cache.
  kJoined,  // Waits for the answer of a call that is under way and asks the same.
  kQueued,  // Waits for its turn.
  kShed,    // Refused: too many wait for their turn.
};

// On one loop, and outlives the layers that tell it.
class LinkNotes {
 public:
  virtual ~LinkNotes() = default;
  virtual void note(LinkEvent event) = 0;
};

}  // namespace weft
