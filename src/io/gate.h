#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>

#include "base/deadline.h"
#include "base/error.h"

namespace weft {

// What shutdown goes through: work enters while the gate is open, and whoever closes it waits until
// the last of it left. From any thread; outlives its passes.
class Gate {
 public:
  // The right to work inside; leaves when it is dropped.
  class Pass {
   public:
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&& other) noexcept {
      std::swap(gate_, other.gate_);
      return *this;
    }
    ~Pass() {
      if (gate_ != nullptr) gate_->leave();
    }

   private:
    friend class Gate;
    explicit Pass(Gate* gate) : gate_(gate) {}
    Gate* gate_;
  };

  Gate() = default;
  Gate(const Gate&) = delete;

  // Nothing once the gate is closed.
  std::optional<Pass> enter();
  // Lets nobody in from now on. May be called again.
  void close();
  // Closes and blocks until everybody left; kTimeout, with the number still inside, when they do
  // not in time. Not on a loop's thread.
  Result<void> close_and_wait(Deadline deadline);

  std::size_t inside() const;
  bool closed() const;

 private:
  void leave();

  mutable std::mutex mutex_;
  std::condition_variable empty_;
  std::size_t inside_ = 0;
  bool closed_ = false;
};

}  // namespace weft
