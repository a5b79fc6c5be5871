#pragma once

// The Rust side of the engine face's objects. For src/engine's own sources: nobody else includes
// the bridge.

#include <mutex>
#include <string>
#include <utility>

#include "engine/runtime.h"
#include "weft-engine/src/bridge.rs.h"

namespace weft {

struct Runtime::Impl {
  Impl(rust::Box<bridge::Runtime> runtime, RuntimeOptions given)
      : engines(std::move(runtime)), options(std::move(given)) {}

  rust::Box<bridge::Runtime> engines;
  RuntimeOptions options;
  std::mutex mutex;
  std::string cache_note;  // Under the mutex: why compiled programs are not kept.
};

struct Program::Impl {
  rust::Box<bridge::Program> program;
};

struct LinkedProgram::Impl {
  rust::Box<bridge::Linked> linked;
  std::shared_ptr<NetGate> gate;  // Shared with the Rust side and with what is under way.
  WasiGrants::Stdio stdio = WasiGrants::Stdio::kClosed;
};

inline std::string to_string(const rust::String& text) {
  return {text.data(), text.size()};
}

}  // namespace weft
