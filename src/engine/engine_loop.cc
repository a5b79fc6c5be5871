#include "engine/engine_loop.h"

#include "base/check.h"
#include "engine/slice.h"

namespace weft {

EngineLoop::EngineLoop(Runtime& runtime, Loop& loop, HttpClientOptions http_client)
    : runtime_(runtime),
      loop_(loop),
      guard_(runtime.enter_thread()),
      http_client_(std::move(http_client)) {
  auto poll = [this](std::uint32_t index, std::uint32_t generation) {
    if (index >= entries_.size()) return;
    Entry entry = entries_[index];
    if (entry.pollable != nullptr && entry.generation == generation) entry.pollable->poll();
  };
  wakes_ = WakeTarget::make(loop, std::move(poll), &take_slice_over);
}

EngineLoop::~EngineLoop() {
  outgoing_.reset();
  CHECK(live_ == 0);
  wakes_->close();
}

EngineLoop::Slot EngineLoop::add(Pollable& pollable) {
  std::uint32_t index;
  if (free_.empty()) {
    index = static_cast<std::uint32_t>(entries_.size());
    entries_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Entry& entry = entries_[index];
  entry.pollable = &pollable;
  if (++entry.generation == 0) ++entry.generation;  // 0 is nobody's.
  live_++;
  return {index, entry.generation};
}

void EngineLoop::remove(Slot slot) {
  CHECK(entries_[slot.index].generation == slot.generation);
  entries_[slot.index].pollable = nullptr;
  free_.push_back(slot.index);
  live_--;
}

}  // namespace weft
