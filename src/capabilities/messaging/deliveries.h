#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "capabilities/messaging/broker.h"
#include "io/timer.h"

namespace weft::messaging {

// What a queue holds at most, of messages that are not done: those that are out, those that wait
// for their turn, and those that wait to be brought again.
inline constexpr std::size_t kOpenMax = 1024;
// Messages that may go, and are there ahead of those that are out.
inline constexpr std::size_t kReadAhead = 64;

// The messages that one queue holds, and which of them goes when: not more at once than was asked
// for, those of one lane (a topic or a key) one after the other by their numbers, and what failed
// after its pause. The same for every driver; where the messages come from, and what is written
// when they are done, is the driver's.
//
// Owned by a queue, on its loop. The receiver outlives it.
class Deliveries {
 public:
  using Id = std::uint64_t;
  struct Held {
    Id id = 0;
    Message message = {};
    unsigned attempts = 0;  // Made so far, and counted.
  };

  Deliveries(Loop& loop, Wanted wanted, Receiver& receiver);
  ~Deliveries();

  const Wanted& wanted() const { return wanted_; }
  std::size_t size() const { return items_.size(); }
  std::size_t out() const { return out_; }
  bool holds(Id id) const { return items_.contains(id); }
  // For how many more there is room: as many as may be read ahead now.
  std::size_t room() const;

  // One more; of an id that is not held.
  void add(Held held);
  // Brings those that may go.
  void bring();

  // What is out, for its verdict: any other is a bug.
  const Held& delivered(Id id) const;
  // It is brought again after the pause, as one attempt more where this one counts.
  void again(Id id, Verdict::Kind kind, std::chrono::milliseconds pause);
  // It is held no more, and the next of its lane may go.
  void done(Id id);
  // The same of one that is not out: somebody else brings it. False: it is out, and stays.
  bool forget(Id id);

  // Brings nothing more. What is out stays until its verdict.
  void stop();
  // All that is held and not out, in order, which is held no more: for who comes next.
  std::vector<Held> take_rest();
  // Each that is held, in no order.
  template <class F>
  void each(F f) const {
    for (const auto& [id, item] : items_) f(item.held);
  }

 private:
  struct Item {
    Held held;
    std::string lane;  // Empty: it is in order with nothing.
    bool out = false;
  };
  bool any_ready() const { return !fresh_.empty() || !ready_.empty(); }
  std::size_t ready() const { return fresh_.size() + ready_.size(); }
  Id next_ready();
  void deliver();
  std::string lane_of(const Message& message) const;
  void leave_lane(const std::string& name);
  void due();

  const std::shared_ptr<Deliveries*> self_;  // Null once it is gone: what is deferred runs later.
  Loop& loop_;
  const Wanted wanted_;
  Receiver& receiver_;
  bool stopped_ = false;
  std::size_t out_ = 0;
  std::unordered_map<Id, Item> items_;
  // Of each lane one has its turn: it is ready, out or pausing. These are the others, which wait.
  std::map<std::string, std::set<Id>> lanes_;
  // Those that may go: as they came, in order, and the others. A burst waits in the first.
  std::deque<Id> fresh_;
  std::set<Id> ready_;
  std::vector<Id> bringing_;  // Out, and told of at the end of the handler that runs.
  std::multimap<Deadline::Clock::time_point, Id> later_;
  Timer timer_;
};

}  // namespace weft::messaging
