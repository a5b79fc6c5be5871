#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "capabilities/config/source.h"

namespace weft::config {

// How often sources are looked at: a value that was changed is seen after that, and a little.
inline constexpr std::chrono::milliseconds kLookEvery{1000};

// Has sources look for changes, on one thread, which begins with the first source. From any thread.
class SourceWatch {
 public:
  explicit SourceWatch(std::chrono::milliseconds every = kLookEvery) : every_(every) {}
  SourceWatch(const SourceWatch&) = delete;
  // Waits for the look that is under way.
  ~SourceWatch();

  // An opened one, which outlives this.
  void add(Source& source);

 private:
  void run();

  const std::chrono::milliseconds every_;
  std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded:
  std::vector<Source*> sources_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace weft::config
