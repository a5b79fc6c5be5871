#include "capabilities/messaging/watchers.h"

#include <utility>

#include "io/loop.h"

namespace weft::messaging {

struct Watchers::Watcher {
  Loop& loop;
  const std::string pattern;
  std::function<void(Message)> saw;  // Null once it is over: on the loop alone.
  std::atomic<std::size_t> pending = 0;
  std::atomic<std::uint64_t> skipped = 0;
};

// Somebody's place among them.
class Watchers::Place final : public Watch {
 public:
  Place(std::shared_ptr<Watchers> all, std::uint64_t number, std::shared_ptr<Watcher> watcher)
      : all_(std::move(all)), number_(number), watcher_(std::move(watcher)) {}
  ~Place() override {
    watcher_->saw = nullptr;
    std::lock_guard hold(all_->mutex_);
    all_->watchers_.erase(number_);
    all_->count_ = all_->watchers_.size();
  }
  std::uint64_t skipped() override { return watcher_->skipped.exchange(0); }

 private:
  const std::shared_ptr<Watchers> all_;  // Shared with the broker.
  const std::uint64_t number_;
  const std::shared_ptr<Watcher> watcher_;  // Shared with what was posted.
};

std::unique_ptr<Watch> Watchers::add(Loop& loop, std::string pattern,
                                     std::function<void(Message)> saw) {
  auto watcher = std::make_shared<Watcher>(loop, std::move(pattern), std::move(saw));
  std::lock_guard hold(mutex_);
  std::uint64_t number = ++begun_;
  watchers_[number] = watcher;
  count_ = watchers_.size();
  return std::make_unique<Place>(shared_from_this(), number, std::move(watcher));
}

void Watchers::show(const Message& message) {
  if (count_ == 0) return;
  std::lock_guard hold(mutex_);
  for (const auto& [number, watcher] : watchers_) {
    if (!matches(watcher->pattern, message.topic)) continue;
    if (watcher->pending >= kShownMax) {
      ++watcher->skipped;
      continue;
    }
    ++watcher->pending;
    watcher->loop.post([watcher, message] {
      --watcher->pending;
      if (watcher->saw) watcher->saw(message);
    });
  }
}

}  // namespace weft::messaging
