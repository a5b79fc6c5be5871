#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "capabilities/keyvalue/bucket.h"
#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/deliveries.h"
#include "capabilities/messaging/log.h"
#include "io/timer.h"

namespace weft::messaging {

// Dead letters that a group keeps: the oldest go. They are counted by one `Bucket::list`, so there
// are fewer than it answers at once (keyvalue::kListPageKeys).
inline constexpr std::size_t kDeadMax = 500;
// Of a dead letter's number, at the end of its key.
inline constexpr std::size_t kDeadNumberDigits = 16;
static_assert(kDeadMax < keyvalue::kListPageKeys);

// One group's messages out of a log. On one loop; has the group from when it is its turn until it
// was stopped and everything is settled and written.
class LogQueue final : public Queue {
 public:
  // The log is ready and expects the group. `bucket` is the log's, as this loop reaches it.
  LogQueue(Loop& loop, std::shared_ptr<Log> log, std::shared_ptr<keyvalue::Bucket> bucket,
           Wanted wanted, Receiver& receiver);
  ~LogQueue() override;

  void settle(std::uint64_t id, Verdict verdict) override;
  void stop() override;
  bool idle() const override { return released_; }

 private:
  using Sequence = std::uint64_t;

  void take_over();
  void read();
  void fetch(std::vector<Sequence> sequences);
  void store_failed(const Error& error);
  void took(const std::vector<Sequence>& sequences,
            const std::vector<std::optional<Bytes>>& values);
  void ask_store_again();
  void seen();
  void replayed(Sequence sequence, Message message);
  void replay_over(Sequence sequence);
  void end_replays();
  void bury(Sequence sequence, const std::string& reason);
  void thin_dead();
  void erase(std::span<const Sequence> gone);
  void write();
  void release_if_over();
  keyvalue::Request request();
  // Calls `work` with the queue, if it is still there.
  template <class Work>
  auto while_here(Work work);

  // Null once the queue is gone: answers come later.
  const std::shared_ptr<LogQueue*> self_;
  Loop& loop_;
  const std::shared_ptr<Log> log_;
  const std::shared_ptr<keyvalue::Bucket> bucket_;
  const std::string group_;
  bool has_turn_ = false;
  bool stopped_ = false;
  bool released_ = false;
  bool reading_ = false;
  bool writing_ = false;
  bool changed_ = false;   // Since what is being written.
  Sequence position_ = 0;  // All before it were taken.
  // Taken and not read yet, with the attempts that were made.
  std::map<Sequence, unsigned> unread_;
  // Held, and dead letters until they are done: where the group stands says nothing of them.
  std::set<Sequence> replayed_;
  Deliveries deliveries_;
  Timer store_timer_;  // When it failed.
  Timer seen_timer_;   // It is written now and then that the trigger runs.
};

}  // namespace weft::messaging
