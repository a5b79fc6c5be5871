#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "io/timer.h"

namespace weft {
class Loop;
}

namespace weft::messaging {

// What one loop publishes, and waits for groups.
inline constexpr std::size_t kBeginningWaitsMax = 65'536;

// The groups of one broker that are being made, on whatever loop: a group is there from the moment
// that its trigger ran, so who publishes later waits for it.
//
// Shared by the loops. From any thread.
class Beginnings {
 public:
  using Id = std::uint64_t;

  // `patience`: how long publishers wait for a group.
  explicit Beginnings(std::chrono::milliseconds patience) : patience_(patience) {}

  // A group begins; it is there, or could not be made, which may be said again.
  Id begins();
  void ended(Id id);
  // When the youngest of those that are being made has had its time. Nothing: publishers need not
  // wait.
  std::optional<Deadline> last() const;

 private:
  friend class AfterGroups;
  void tell(const void* who, Loop& loop, std::function<void()> none);
  void forget(const void* who);

  struct Waiting {
    Loop* loop;
    std::function<void()> none;
  };
  const std::chrono::milliseconds patience_;
  std::atomic<std::size_t> many_ = 0;  // As many as there are in begun_.
  mutable std::mutex mutex_;
  Id last_id_ = 0;                          // Guarded, as those below.
  std::map<Id, Deadline> begun_;            // As many as there are triggers.
  std::map<const void*, Waiting> waiting_;  // One a loop.
};

// What one loop publishes, once the groups are there. On its loop; what waits goes with it.
class AfterGroups {
 public:
  AfterGroups(Loop& loop, std::shared_ptr<Beginnings> groups);
  AfterGroups(const AfterGroups&) = delete;
  ~AfterGroups();

  // kLimit: too much waits, and `run` is not to be called.
  Result<void> room() const;
  // Does it, now where no group is being made.
  template <class Work>
  void run(Work work) {
    std::optional<Deadline> patience = groups_->last();
    if (patience) return wait(*patience, std::move(work));
    // Those before it first.
    if (!waiting_.empty()) serve();
    work();
  }

 private:
  void wait(Deadline patience, std::move_only_function<void()> work);
  void serve();

  Loop& loop_;
  const std::shared_ptr<AfterGroups*> self_;  // Null once it is gone: it is told later.
  const std::shared_ptr<Beginnings> groups_;  // Shared by the loops.
  std::vector<std::move_only_function<void()>> waiting_;
  Timer patience_;
};

}  // namespace weft::messaging
