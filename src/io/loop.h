#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/deadline.h"
#include "io/task.h"

namespace boost::asio {
class io_context;
}

namespace weft {

class Timers;

// What computes for long waits so long at most while handlers are ready without a pause.
inline constexpr std::chrono::milliseconds kIdleWorkWait{10};

// What one thread of the host runs: an io_context, its timers, and the work posted to it.
//
// Made and destroyed by its owner on any thread; everything but post, stop and on_this_loop is for
// the loop's own thread, or for the owner's while the loop does not run.
class Loop {
 public:
  using Work = std::move_only_function<void()>;

  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  // Drops what was posted and never ran. Whatever uses the loop is gone by then.
  ~Loop();

  boost::asio::io_context& context();
  boost::asio::any_io_executor executor();
  Timers& timers();

  // Runs handlers on this thread until stop. A handler's exception is logged and ends that handler
  // alone.
  void run();
  // From any thread: run returns after the handler that is running now.
  void stop();

  // From any thread: runs `work` on the loop, never inside this call. Work that is posted after the
  // loop stopped is dropped with the loop.
  void post(Work work);
  // From the loop's thread: runs `work` once, after the handler that runs now and before the loop
  // looks at its sockets again. What deferred work defers runs one round later.
  void defer(Work work);
  // The same, but after everything that was deferred with defer, and after the other handlers that
  // are ready by now, a bounded batch of them: for what sends results.
  void defer_last(Work work);

  // From the loop's thread: runs `work` when no handler is ready, or once kIdleWorkWait has passed
  // since such work ran last. One such work at a time, in their order: for what computes for long.
  // Whoever defers has one at most for each thing that computes, and no other bound stands here.
  void defer_idle(Work work);

  // Starts `task` on the loop; `done` gets its outcome there. An exception of the task becomes
  // kInternal.
  void spawn(Task<void> task, std::move_only_function<void(Result<void>)> done);
  // The same for a task whose failure is worth a log line and nothing else.
  void spawn(Task<void> task);

  // The loop whose handler runs on this thread, or null.
  static Loop* current();
  bool on_this_loop() const { return current() == this; }

  // The time when the running handler began: read once a handler, at most a handler old.
  Deadline::Clock::time_point now();

  // Marks one handler of this loop. Everything that a socket or timer calls opens one first thing,
  // so that what is deferred runs as it ends instead of through the queue. May nest.
  class Turn {
   public:
    explicit Turn(Loop& loop);
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn();

   private:
    Loop& loop_;
  };

 private:
  struct Impl;
  bool run_batch();
  void end_batch();
  void run_idle();
  void run_deferred();
  void run_all(std::vector<Work>& works);
  void post_drain();

  std::unique_ptr<Impl> impl_;
};

// The loops of a process, each on a thread of its own.
class Loops {
 public:
  struct Options {
    std::size_t count = 1;
    // Called on each loop's thread before its first and after its last handler: for what a library
    // keeps per thread.
    std::function<void(Loop&)> started = {};
    std::function<void(Loop&)> stopping = {};
  };

  explicit Loops(Options options);
  Loops(const Loops&) = delete;
  // Stops and joins.
  ~Loops();

  std::size_t size() const { return loops_.size(); }
  Loop& operator[](std::size_t index) { return *loops_[index]; }

  // Runs `work` on every loop and waits for all of them. Not from a loop of these.
  void on_each(const std::function<void(Loop&, std::size_t index)>& work);

  // Stops every loop and joins its thread. The loops themselves live on until the destructor, so
  // that what is bound to them may still be destroyed.
  void stop();

 private:
  Options options_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::thread> threads_;
};

}  // namespace weft
