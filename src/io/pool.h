#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"

namespace weft {

class Loop;

// A bounded set of threads for what blocks: files, mostly. From any thread. Outlived by
// the loops that its answers go to.
class Pool {
 public:
  using Work = std::move_only_function<void()>;

  struct Options {
    std::size_t threads = 4;
    std::size_t waiting_max = 1024;  // Work that waits for a thread; beyond it submit refuses.
  };

  explicit Pool(Options options);
  Pool(const Pool&) = delete;
  // Lets what was accepted finish, then joins.
  ~Pool();

  // Runs `work` on a thread of the pool. kLimit when too much waits already. Work does not throw.
  Result<void> submit(Work work);
  // The same, and then `done` on `loop`.
  Result<void> submit(Loop& loop, Work work, Work done);

  // Accepts nothing more, finishes what waits, joins. May be called again.
  void stop();

 private:
  void work();

  const Options options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace weft
