#include "capabilities/sql/drivers/sqlite_threads.h"

#include <iterator>
#include <utility>

#include "base/thread_name.h"

namespace weft::sql::sqlite {

Watch::Watch() : thread_([this] { run(); }) {}

void Watch::add(std::weak_ptr<Watched> watched) {
  {
    std::lock_guard lock(mutex_);
    added_.push_back(std::move(watched));
  }
  changed_.notify_one();
}

void Watch::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Watch::run() {
  name_thread("weft-sql-watch");
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (watched_.empty() && added_.empty()) {
      changed_.wait(lock);
      continue;
    }
    changed_.wait_for(lock, kBetweenLooks, [this] { return stopping_; });
    std::ranges::move(added_, std::back_inserter(watched_));
    added_.clear();
    lock.unlock();
    auto now = Deadline::Clock::now();
    std::erase_if(watched_, [&](const std::weak_ptr<Watched>& each) {
      auto there = each.lock();
      return there == nullptr || !there->look(now);
    });
    lock.lock();
  }
}

}  // namespace weft::sql::sqlite
