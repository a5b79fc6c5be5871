#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/deadline.h"
#include "io/pool.h"

namespace weft::sql::sqlite {

// Something with a deadline that no loop keeps.
class Watched {
 public:
  Watched() = default;
  Watched(const Watched&) = delete;
  virtual ~Watched() = default;
  // On the watch's thread, now and then. False: there is nothing to look after any more.
  virtual bool look(Deadline::Clock::time_point now) = 0;
};

// Looks after what waits or lies idle, on a thread of its own that sleeps while there is nothing.
class Watch {
 public:
  static constexpr std::chrono::milliseconds kBetweenLooks{20};

  Watch();
  Watch(const Watch&) = delete;
  ~Watch() { stop(); }

  // Until it is gone or says that it is enough. Any thread, also one that holds a lock which `look`
  // takes.
  void add(std::weak_ptr<Watched> watched);
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::weak_ptr<Watched>> watched_;
  std::vector<std::weak_ptr<Watched>> added_;
  bool stopping_ = false;
  std::thread thread_;
};

// What the databases of a process have in common.
struct Threads {
  // Each database may have its readers and its writer at work.
  static constexpr std::size_t kThreads = 8;
  static constexpr std::size_t kWorkMax = 8192;

  // Statements that run are interrupted once this is set. Shared with connections, which work that
  // a loop never ran may keep for longer than these threads.
  std::shared_ptr<std::atomic<bool>> stopping = std::make_shared<std::atomic<bool>>(false);
  Pool pool{{.threads = kThreads, .waiting_max = kWorkMax}};
  Watch watch;
};

}  // namespace weft::sql::sqlite
