#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "door/call.h"
#include "engine/runtime.h"
#include "io/http_client/options.h"
#include "io/loop.h"
#include "io/wake.h"

namespace weft {

// Something of one loop that a guest's wakers ask to be polled.
class Pollable {
 public:
  virtual ~Pollable() = default;
  // On the loop's thread, never from inside itself.
  virtual void poll() = 0;
};

// What the engine keeps per loop: the table that wakers point into, and the loop's calls.
//
// Made and destroyed on the loop's own thread; everything that runs guests there is gone before.
class EngineLoop {
 public:
  // A task's place in the table. A waker that outlives its task names a generation that is over.
  struct Slot {
    std::uint32_t index = 0;
    std::uint32_t generation = 0;
  };

  // What a part of the engine keeps per loop beside: gone before anything else.
  class Extension {
   public:
    virtual ~Extension() = default;
  };

  EngineLoop(Runtime& runtime, Loop& loop, HttpClientOptions http_client = {});
  EngineLoop(const EngineLoop&) = delete;
  EngineLoop& operator=(const EngineLoop&) = delete;
  ~EngineLoop();

  Runtime& runtime() { return runtime_; }
  Loop& loop() { return loop_; }
  CallPool& calls() { return calls_; }
  const std::shared_ptr<WakeTarget>& wakes() const { return wakes_; }
  // Outgoing HTTP: null until a guest's first request.
  std::unique_ptr<Extension>& outgoing() { return outgoing_; }
  const HttpClientOptions& http_client_options() const { return http_client_; }

  Slot add(Pollable& pollable);
  void remove(Slot slot);
  std::size_t live() const { return live_; }

 private:
  struct Entry {
    Pollable* pollable = nullptr;
    std::uint32_t generation = 0;
  };

  Runtime& runtime_;
  Loop& loop_;
  Runtime::ThreadGuard guard_;
  std::shared_ptr<WakeTarget> wakes_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::size_t live_ = 0;
  CallPool calls_;
  const HttpClientOptions http_client_;
  std::unique_ptr<Extension> outgoing_;
};

}  // namespace weft
