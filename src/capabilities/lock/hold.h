#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "capabilities/lock/event.h"
#include "capabilities/lock/lease.h"
#include "capabilities/lock/store.h"
#include "capabilities/lock/turns.h"
#include "io/timer.h"

namespace weft::lock {

// Who wait for one lock's loss at once.
inline constexpr std::size_t kLostWaitersMax = 16;
// How long a store is asked to release a lock that nobody waits to be released.
inline constexpr std::chrono::seconds kReleaseMax{5};

// What holds and waits have in common: the locks of one backend, as one loop reaches them. Shared
// by those and the provider, which closes it when it goes; whoever calls back later has it weakly.
class Locks : public std::enable_shared_from_this<Locks> {
 public:
  Locks(Loop& loop, std::unique_ptr<Store> store, std::shared_ptr<Turns> turns)
      : loop_(loop), store_(std::move(store)), turns_(std::move(turns)) {}

  Loop& loop() const { return loop_; }
  Store& store() const { return *store_; }
  const std::shared_ptr<Turns>& turns() const { return turns_; }

  // How the process calls the lock, whoever waits for it.
  static std::string key(const LockName& lock);
  // Whether the holder held it until now. An answer that is lost on the way is asked for again, and
  // says then that nobody holds it: before `until`, up to which it was surely held, that was us.
  Answer<bool> release(const LockName& lock, const std::string& holder, Deadline deadline,
                       Clock::time_point until);
  // Releases what may be held, and tells nobody what came of it.
  void let_go(const LockName& lock, const std::string& holder);

  // Keeps one who waits, until it is dropped or all are.
  void keep(std::shared_ptr<Waiter> waiter) { waiters_.insert(std::move(waiter)); }
  void drop(const std::shared_ptr<Waiter>& waiter) { waiters_.erase(waiter); }
  // Nobody waits any more.
  void close();

 private:
  Loop& loop_;
  std::unique_ptr<Store> store_;
  std::shared_ptr<Turns> turns_;               // Shared by the loops.
  std::set<std::shared_ptr<Waiter>> waiters_;  // As many as have a place in `turns_`.
};

// A lock that is held. Its end releases it. On one loop, which outlives it.
class Hold {
 public:
  Hold(std::shared_ptr<Locks> locks, LockName lock, std::string holder, Lease lease);
  Hold(const Hold&) = delete;
  ~Hold();

  std::uint64_t token() const { return lease_.token(); }
  bool held() const { return lease_.held(Clock::now()); }
  std::chrono::nanoseconds remaining() const { return lease_.remaining(Clock::now()); }
  // False: it was lost. kConflict while another renewal is under way. It stays until the answer.
  Answer<bool> renew(Deadline deadline, Milliseconds ttl);
  // False: it was not held any more.
  Answer<bool> release(Deadline deadline);
  // Waits until it is not held any more. kLimit: too many wait for that. Whoever stops the task
  // waits no more: nothing but the task's frame knows of it.
  Soon<void> lost();

 private:
  void changed();
  void tell();

  const std::shared_ptr<Locks> locks_;  // Shared with the provider and other holds of the loop.
  const LockName lock_;
  const std::string holder_;
  Lease lease_;
  bool released_ = false;  // Nothing is left to be released.
  bool renewing_ = false;
  std::vector<std::weak_ptr<Event>> lost_;  // Those who wait, owned by their tasks.
  Timer end_;
  // For answers that come later.
  const std::shared_ptr<Hold*> self_;
};

}  // namespace weft::lock
