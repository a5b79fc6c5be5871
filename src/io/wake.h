#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace weft {

class Loop;

// Where the wakers of one loop's guest calls point: {slot, generation} from any thread becomes one
// handler call on the loop.
//
// Shared, because wakers outlive the calls and the loop they were made for: a wake after close does
// nothing. Wakes of one slot coalesce until the handler ran, and a batch is posted once, so what
// waits is bounded by the number of slots. The handler ignores generations it no longer knows.
class WakeTarget : public std::enable_shared_from_this<WakeTarget> {
 public:
  using Handler = std::move_only_function<void(std::uint32_t slot, std::uint32_t generation)>;

  // Asked on the loop's thread when a call woke itself during its poll: whether it had computed for
  // so long that it was made to yield.
  using SliceOver = bool (*)();

  static std::shared_ptr<WakeTarget> make(Loop& loop, Handler handler, SliceOver over = nullptr);
  WakeTarget(Loop& loop, Handler handler, SliceOver over)
      : home_(&loop), loop_(&loop), over_(over), handler_(std::move(handler)) {}

  // From any thread. On the loop's own thread the handler runs as the running handler ends, without
  // a post; from elsewhere it is posted. Never calls the handler inside this call.
  void wake(std::uint32_t slot, std::uint32_t generation);

  // On the loop's thread, around the poll of one call: a wake of that very call during its poll (a
  // yield) only marks, and goes through the loop's queue when the poll ends, so that guests which
  // yield take turns with each other and with the sockets. One whose slice is over waits until the
  // loop has nothing else to do (Loop::defer_idle).
  class Poll {
   public:
    Poll(WakeTarget& target, std::uint32_t slot, std::uint32_t generation);
    Poll(const Poll&) = delete;
    Poll& operator=(const Poll&) = delete;
    ~Poll();

   private:
    WakeTarget& target_;
    Poll* outer_;
    std::uint32_t slot_;
    std::uint32_t generation_;
    bool woken_ = false;
    friend class WakeTarget;
  };

  // On the loop's thread, before the loop goes: wakes from now on do nothing, the handler is
  // destroyed (when it is running, as it returns).
  void close();

 private:
  enum class Via : std::uint8_t { kTurn, kQueue };
  struct Slot {
    std::uint32_t generation = 0;
    bool pending = false;
    bool resting =
        false;  // Its next poll is the loop's idle time's: other wakes have nothing to add.
  };

  // Under the lock. Null: closed, or a wake of the slot is on its way, which is this one's as well.
  Slot* quiet(std::uint32_t slot, std::uint32_t generation);
  void enqueue(std::uint32_t slot, std::uint32_t generation, Via via);
  void drain();
  void rest(std::uint32_t slot, std::uint32_t generation);
  void go_on(std::uint32_t slot, std::uint32_t generation);

  const Loop* const home_;  // Compared, never followed.
  std::mutex mutex_;
  Loop* loop_;                        // Guarded; null once closed.
  std::vector<Slot> slots_;           // Guarded.
  std::vector<std::uint32_t> ready_;  // Guarded: the slots that are pending.
  bool posted_ = false;               // Guarded: a drain is on its way.
  bool deferred_ = false;             // Guarded: the same, at the end of this turn.

  const SliceOver over_;
  Handler handler_;  // From here on: the loop's thread only.
  std::vector<std::uint64_t> batch_;
  Poll* poll_ = nullptr;
  bool draining_ = false;
  bool closed_ = false;
};

}  // namespace weft
