#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "record/recording_lines.h"

namespace weft {

// What calls that wait to be written may take up.
inline constexpr std::size_t kRecordQueueBytesMax = std::size_t{16} << 20;

// Takes calls from every loop and writes them to a file, on a thread of its own: who adds one waits
// for a short lock only. What has no room, or comes after the file could not be written, is lost
// and counted.
//
// From any thread. Outlives the layers that add to it.
class CallRecorder {
 public:
  struct Options {
    std::size_t file_bytes_max = kRecordingBytesMax;
    std::size_t queue_bytes_max = kRecordQueueBytesMax;
  };

  // A file that is there keeps what it has until the first call, or finish, so that a host which
  // does not start spoils nothing. Fails when it cannot be written.
  static Result<std::unique_ptr<CallRecorder>> open(std::string file, Options options);
  static Result<std::unique_ptr<CallRecorder>> open(std::string file) {
    return open(std::move(file), Options{});
  }
  CallRecorder(const CallRecorder&) = delete;
  // Writes what waits.
  ~CallRecorder();

  // A function of that name, signature and server, the same number each time. Nothing: there are
  // too many, or the signature is none; its calls are to be counted by `lose`.
  std::optional<std::size_t> function(std::string interface, std::string name,
                                      std::string signature, std::string by);
  void add(std::size_t function, TakenCall call);
  void lose();

  struct Summary {
    std::uint64_t calls = 0;  // In the file.
    std::uint64_t lost = 0;
  };
  // Writes what waits, and the end. Nothing is added afterwards. Takes as long as the disk does.
  Summary finish();

 private:
  using Waiting = std::pair<std::size_t, TakenCall>;

  CallRecorder(std::string path, Fd file, bool created, Options options);
  void run();
  void write_batch(const std::deque<Waiting>& batch);
  void append(std::string_view line);
  bool flush();
  void fail(const Error& error);
  void stop();

  const std::string path_;
  const Options options_;
  Fd file_;
  const bool created_;  // It was not there before.
  std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded:
  std::deque<Waiting> queue_;
  std::size_t queued_bytes_ = 0;
  std::deque<RecordedFunction> functions_;  // Of which no element moves.
  std::map<std::string, std::size_t, std::less<>> numbers_;
  std::uint64_t lost_ = 0;
  bool ended_ = false;  // The file takes no more.
  bool stopping_ = false;
  // Of the thread alone, and of finish after it:
  // By function: its number in the file, which has them in the order of their first calls.
  std::vector<std::optional<std::size_t>> told_;
  std::size_t told_count_ = 0;
  std::string buffer_;
  std::size_t written_ = 0;  // With what is in the buffer.
  std::uint64_t calls_ = 0;
  std::uint64_t buffered_ = 0;  // Of them in the buffer.
  bool begun_ = false;
  bool broken_ = false;
  std::thread thread_;
};

}  // namespace weft
