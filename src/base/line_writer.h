#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"

namespace weft {

// Lines of many threads to one descriptor, in the order in which they were given, and never with a
// wait: who logs is a loop that has others to serve.
//
// While the descriptor takes what comes, the caller writes, with one system call, so that what was
// said before a crash is out. What it does not take now is queued for a thread of the writer's own,
// and everything after it behind it. What has no room in the queue, or cannot be written at all, is
// lost and counted; when the descriptor takes something again, `notice` is told first.
//
// From any thread. Made and destroyed by one owner, after whom nobody writes.
class LineWriter {
 public:
  // A line that says how many lines were lost, or nothing. Called with the writer's lock held: it
  // writes to no writer that writes to this one.
  using Notice = std::function<std::string(std::uint64_t lost)>;

  static constexpr std::size_t kQueueBytesMax = std::size_t{1} << 20;
  // How long the end of the writer waits for a descriptor that takes nothing.
  static constexpr std::chrono::milliseconds kLastWordsMax{1'000};

  LineWriter(Fd file, Notice notice);
  LineWriter(const LineWriter&) = delete;
  // Writes what waits, for kLastWordsMax at most.
  ~LineWriter();

  // Over another description of what `fd` has open, where the system gives one: the writer does not
  // wait in a write, and whoever shares `fd` with this process keeps theirs as it is.
  static Fd unshared(int fd);

  // Whole lines, each with its end.
  void append(std::string_view lines);
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  // How a write is kept from waiting.
  enum class Kind : std::uint8_t { kFile, kNonBlocking, kSocket, kAsk };

  ssize_t write_now(std::string_view bytes);
  bool takes_within(std::chrono::milliseconds wait);
  std::size_t write_while_taken(std::string_view bytes);
  void count_lost(std::string_view lines);
  void lose(std::string_view lines);
  void enqueue(std::string_view lines);
  bool start_thread();
  void run();
  std::string take_notice();
  void write_queue(std::unique_lock<std::mutex>& lock, std::string sending);
  bool past_end();

  Fd file_;
  Kind kind_;
  Notice notice_;
  std::mutex mutex_;
  std::condition_variable queued_;
  std::string queue_;
  bool draining_ = false;  // The thread has lines that come before any other.
  // While draining_, of the thread alone:
  bool mid_line_ = false;             // The last write ended within a line.
  bool torn_ = false;                 // The rest of that line is lost.
  bool failed_ = false;               // The last write failed: nobody waits for this descriptor.
  bool stopping_ = false;             // The writer is being destroyed.
  Deadline end_ = Deadline::never();  // Of everything, once it stops.
  std::uint64_t untold_ = 0;          // Lost since the last notice.
  std::atomic<std::uint64_t> lost_{0};
  std::thread thread_;
};

}  // namespace weft
