#include "io/pool.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/thread_name.h"
#include "io/loop.h"

namespace weft {

Pool::Pool(Options options) : options_(options) {
  CHECK(options_.threads > 0);
  for (std::size_t i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { work(); });
}

Pool::~Pool() {
  stop();
}

Result<void> Pool::submit(Work work) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return failure(Errc::kUnavailable, "the pool of blocking work is closed");
    if (waiting_.size() >= options_.waiting_max) {
      return failure(
          Errc::kLimit,
          fmt::format("{} pieces of blocking work wait already: try again later", waiting_.size()));
    }
    waiting_.push_back(std::move(work));
  }
  changed_.notify_one();
  return {};
}

Result<void> Pool::submit(Loop& loop, Work work, Work done) {
  return submit([&loop, work = std::move(work), done = std::move(done)]() mutable {
    work();
    loop.post(std::move(done));
  });
}

void Pool::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Pool::work() {
  name_thread("weft-pool");
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    Work work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    try {
      work();
    } catch (const std::exception& error) {
      log::error("pool", "blocking work threw", {{"what", error.what()}});
    }
    work = nullptr;  // What it owns goes outside the lock.
    lock.lock();
  }
}

}  // namespace weft
