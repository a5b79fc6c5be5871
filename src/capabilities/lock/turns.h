#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/error.h"

namespace weft {
class Loop;
}  // namespace weft

namespace weft::lock {

// Who wait for one lock in this process, and of all locks of a backend.
inline constexpr std::size_t kWaitersMax = 1024;
inline constexpr std::size_t kWaitersOfAllMax = 65'536;

// One who waits; on its loop.
class Waiter {
 public:
  virtual ~Waiter() = default;
  // It is first now, or was first and the lock may be free: later, on the waiter's loop.
  virtual void woken() = 0;
  // Nobody wants to know what comes of it: it leaves.
  virtual void closed() = 0;
};

// The order of those who wait for locks of one backend in this process: of each lock only the first
// asks the driver. Used by all loops, behind one short lock.
class Turns {
 public:
  // Joins the others. True: nobody is before it. kLimit: too many wait. A waiter leaves before its
  // loop goes.
  Result<bool> enter(const std::string& lock, Loop& loop, const std::shared_ptr<Waiter>& waiter);
  // Whoever is next is woken if this one was the first. Nothing for one that is not among them.
  void leave(const std::string& lock, const Waiter& waiter);
  // The lock was released here: wakes the first.
  void freed(const std::string& lock);
  bool anyone(const std::string& lock) const;

 private:
  struct Place {
    Loop* loop;
    std::weak_ptr<Waiter> waiter;
    const Waiter* address;
  };

  static void wake(const Place& place);

  mutable std::mutex mutex_;
  std::map<std::string, std::list<Place>> waiting_;  // Guarded; none of the lists is empty.
  std::size_t count_ = 0;                            // Guarded.
};

}  // namespace weft::lock
