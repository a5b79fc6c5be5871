#pragma once

// For src/engine's own sources: the guest's side of pipes.

#include <memory>
#include <variant>

#include "door/pipe.h"
#include "engine/bridge_host.h"
#include "engine/engine_loop.h"

namespace weft {

// The end of a pipe that an instance's guest holds, by way of the bridge. Counted in the instance's
// table while it lives, and gone before the instance.
class PipeEnd {
 public:
  PipeEnd(PipeTable& table, PipeTable::End end) : table_(table), end_(std::move(end)) {}
  PipeEnd(const PipeEnd&) = delete;
  PipeEnd& operator=(const PipeEnd&) = delete;
  // What the guest wrote is whole when it lets go, and cut off when it is ending.
  ~PipeEnd();

  PipeReader& reader() { return std::get<PipeReader>(end_); }
  PipeWriter& writer() { return std::get<PipeWriter>(end_); }
  const PipeReader& reader() const { return std::get<PipeReader>(end_); }
  const PipeWriter& writer() const { return std::get<PipeWriter>(end_); }
  void wait(PipeWaiter waiter);

 private:
  PipeTable& table_;
  PipeTable::End end_;
};

// The tasks of an instance that move what a guest handed over as wasi:io streams. Owned by the
// instance, and gone before its context.
class Pumps {
 public:
  explicit Pumps(EngineLoop& engine);
  ~Pumps();

  bridge::WakeKey add();
  void start(std::uint32_t slot, rust::Box<bridge::Task> task);
  void stop();
  std::size_t running() const { return pumps_.size(); }

 private:
  class Pump;
  EngineLoop& engine_;
  std::vector<std::unique_ptr<Pump>> pumps_;
};

}  // namespace weft
