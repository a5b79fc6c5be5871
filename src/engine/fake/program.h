#pragma once

// For the fake engine's own sources: what its programs are.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "engine/runtime.h"
#include "io/pool.h"

namespace weft {

// One thing that a fake guest does.
struct FakeStep {
  enum class Kind : std::uint8_t {
    kCall,   // Calls import `function` with `arguments`.
    kKeep,   // Remembers the handle in the last reply, a result<own<T>, _>.
    kDrop,   // Drops it.
    kPause,  // Waits until another thread wakes it.
  };
  Kind kind = Kind::kPause;
  std::uint32_t function = 0;
  // Byte values; kHandle stands for the remembered handle.
  static constexpr std::uint16_t kHandle = 256;
  std::vector<std::uint16_t> arguments;
};

// What each run of a fake program does, one step after the other. The last call's reply is what it
// answers.
struct FakeProgram {
  std::vector<FakeStep> steps;
};

struct Program::Impl {
  std::shared_ptr<const FakeProgram> program;  // Shared with what is linked from it.
};

struct LinkedProgram::Impl {
  std::shared_ptr<const FakeProgram> program;
};

struct Runtime::Impl {
  // The threads that wake guests which pause. Thread-safe, so it may be used through a const Impl.
  mutable Pool elsewhere{{.threads = 2, .waiting_max = 65'536}};
};

}  // namespace weft
