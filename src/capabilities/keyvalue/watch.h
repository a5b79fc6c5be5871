#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weft {
class Loop;
}  // namespace weft

namespace weft::keyvalue {

// Keys that wait to be told to one watcher. What changes beyond that is not told, and the log says
// how many it were.
inline constexpr std::size_t kWatchKeysMax = 65'536;

// Which keys of a bucket have changed since they were last taken. Keys alone: who is told of one
// asks for its value then, so that changes in quick order come to the newest.
//
// Changed from any thread; `news` runs on the loop, later, once until the keys are taken.
class Watch {
 public:
  Watch(std::string app, std::string bucket, std::string prefix, Loop& loop,
        std::function<void()> news)
      : app(std::move(app)),
        bucket(std::move(bucket)),
        prefix(std::move(prefix)),
        loop_(loop),
        news_(std::move(news)) {}

  const std::string app;
  const std::string bucket;
  const std::string prefix;

  void add(std::string_view key, const std::shared_ptr<Watch>& self);
  struct Taken {
    std::set<std::string> keys;
    std::size_t lost = 0;
  };
  // On the loop.
  Taken take();
  // On the loop: no news from now on.
  void close();

 private:
  Loop& loop_;
  std::mutex mutex_;
  std::function<void()> news_;  // The loop's; null once closed.
  Taken changed_;               // Guarded.
  bool told_ = false;           // Guarded.
};

// Who watches what, of a process. For any thread.
class WatchHub {
 public:
  std::shared_ptr<Watch> watch(std::string app, std::string bucket, std::string prefix, Loop& loop,
                               std::function<void()> news);
  void end(const std::shared_ptr<Watch>& watch);
  // Whether anybody watches anything: all that a write costs otherwise.
  bool any() const { return count_.load(std::memory_order_relaxed) > 0; }
  void changed(std::string_view app, std::string_view bucket, std::string_view key);

 private:
  std::atomic<std::size_t> count_{0};
  std::mutex mutex_;
  std::vector<std::shared_ptr<Watch>> watches_;  // Guarded. One a trigger, which are bounded.
};

}  // namespace weft::keyvalue
