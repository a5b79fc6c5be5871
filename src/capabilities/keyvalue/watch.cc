#include "capabilities/keyvalue/watch.h"

#include <utility>

#include "io/loop.h"

namespace weft::keyvalue {

void Watch::add(std::string_view key, const std::shared_ptr<Watch>& self) {
  std::lock_guard hold(mutex_);
  if (changed_.keys.size() >= kWatchKeysMax && !changed_.keys.contains(std::string(key))) {
    ++changed_.lost;
  } else {
    changed_.keys.emplace(key);
  }
  if (std::exchange(told_, true)) return;
  loop_.post([self] {
    if (self->news_) self->news_();
  });
}

Watch::Taken Watch::take() {
  std::lock_guard hold(mutex_);
  told_ = false;
  return std::exchange(changed_, {});
}

void Watch::close() {
  news_ = nullptr;
}

std::shared_ptr<Watch> WatchHub::watch(std::string app, std::string bucket, std::string prefix,
                                       Loop& loop, std::function<void()> news) {
  auto made = std::make_shared<Watch>(std::move(app), std::move(bucket), std::move(prefix), loop,
                                      std::move(news));
  std::lock_guard hold(mutex_);
  watches_.push_back(made);
  count_.store(watches_.size(), std::memory_order_relaxed);
  return made;
}

void WatchHub::end(const std::shared_ptr<Watch>& watch) {
  watch->close();
  std::lock_guard hold(mutex_);
  std::erase(watches_, watch);
  count_.store(watches_.size(), std::memory_order_relaxed);
}

void WatchHub::changed(std::string_view app, std::string_view bucket, std::string_view key) {
  std::lock_guard hold(mutex_);
  for (const std::shared_ptr<Watch>& each : watches_) {
    if (each->app == app && each->bucket == bucket && key.starts_with(each->prefix)) {
      each->add(key, each);
    }
  }
}

}  // namespace weft::keyvalue
