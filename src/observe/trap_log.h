#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace weft {

// One guest that was ended: by a trap, a limit, or a failure to start.
struct TrapRecord {
  std::chrono::system_clock::time_point at;
  std::string app;
  std::string component;
  std::string request;  // The number of the request as the log has it, or how many there were.
  std::string kind;     // "trap", "failure", or the limit's name.
  std::string report;   // With the frames, where there are some.
};

// The last of them, of all loops. From any thread.
class TrapLog {
 public:
  static constexpr std::size_t kTrapsKept = 50;
  static constexpr std::size_t kTrapBytesMax = 8 * 1024;

  void add(TrapRecord record);
  // The newest first.
  std::vector<TrapRecord> newest() const;

 private:
  mutable std::mutex mutex_;
  std::deque<TrapRecord> records_;  // Guarded.
};

}  // namespace weft
