#pragma once

#include <utility>

#include "io/loop.h"

namespace weft {

// Runs `work` on the loop once what its handlers have to send by now has left: for what somebody
// who waits for an answer need not wait for. From the loop's thread.
inline void after_sends(Loop& loop, Loop::Work work) {
  // What a posted handler defers last runs behind the sends of all handlers before it.
  loop.post([&loop, work = std::move(work)]() mutable { loop.defer_last(std::move(work)); });
}

}  // namespace weft
