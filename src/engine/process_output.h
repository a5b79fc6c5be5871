#pragma once

// For src/engine's own sources.

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "engine/bridge_host.h"

namespace weft {

// A command's standard output and error: the process's own, written by a thread of its own.
//
// A reader that takes nothing stops neither the loop nor its time-outs. One queue for both keeps
// their order. The guest goes on while the thread writes, up to a bound; a command waits until all
// is out before it ends. One for the process, from any thread, never destroyed: its thread may be
// in a write that never returns.
class ProcessOutput {
 public:
  enum class Stream : std::uint8_t { kStdout = 1, kStderr = 2 };
  using Waker = rust::Box<bridge::CallWaker>;

  // Bytes that wait for the thread; a guest that has this many waits.
  static constexpr std::size_t kQueueMax = 256 * 1024;
  // Bytes that are taken at once.
  static constexpr std::size_t kWriteMax = 64 * 1024;
  // What a part costs beside its bytes: guests may write byte by byte to both in turn.
  static constexpr std::size_t kPartCost = 64;
  // Those who wait for room; when they are more, all are woken to ask again.
  static constexpr std::size_t kWaitingMax = 64;

  static ProcessOutput& instance();

  static constexpr std::int64_t kClosed = -1;
  static constexpr std::int64_t kFailed = -2;

  // How much may be written now; 0: wait. Negative when nobody reads, which stays so, or when a
  // write failed, until take_error.
  std::int64_t room(Stream stream);
  std::string take_error(Stream stream);
  void write(Stream stream, BytesView bytes);
  // The same for the end of a command: 0 while anything waits for the thread, kFailed when a write
  // failed, unless nobody reads.
  std::int64_t written();
  std::string take_error();
  // Woken when there is something new to ask about, which may be at once.
  void wait_room(Waker waker);
  void wait_written(Waker waker);

 private:
  struct Part {
    Stream stream;
    Bytes bytes;
  };

  // The errno of a write that failed, or 0.
  int& failure(Stream stream) { return failures_[static_cast<std::size_t>(stream) - 1]; }
  void wait(Waker waker);
  void wake_all();
  void start_thread();
  void run();

  std::mutex mutex_;
  std::condition_variable news_;
  std::vector<Part> parts_;
  std::size_t held_ = 0;  // What the parts and the thread hold.
  std::array<int, 2> failures_{};
  // The same, told or not, for the end of the run: a guest may have looked away.
  std::array<int, 2> lost_{};
  std::vector<Waker> waiting_;
  bool started_ = false;
};

}  // namespace weft
