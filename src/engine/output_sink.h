#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace weft {

// Where one run prints. Called on the run's loop, from inside the guest's polls: it may not end the
// run there.
class OutputSink {
 public:
  enum class Stream : std::uint8_t { kStdout = 1, kStderr = 2 };

  virtual ~OutputSink() = default;
  // How many bytes it takes now. 0: the guest waits, until GuestRun::has_room.
  virtual std::size_t room(Stream stream) = 0;
  // No more than there was room for at some time since the run last waited.
  virtual void write(Stream stream, BytesView bytes) = 0;
};

}  // namespace weft
