#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "capabilities/keyvalue/bucket.h"
#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/log.h"
#include "io/timer.h"

namespace weft::messaging {

// Messages of one group that are not done and before its position: those that are out, and those
// that wait to be brought again.
inline constexpr std::size_t kOpenMax = 1024;
// Messages that are read ahead of those that are out.
inline constexpr std::size_t kReadAhead = 64;

// Dead letters that a group keeps: the oldest go. Less than a page of a bucket's keys.
inline constexpr std::size_t kDeadMax = 500;

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
  struct Item {
    Message message;
    std::string lane;       // What it is in order with; empty: nothing.
    unsigned attempts = 0;  // Made so far.
    bool out = false;
  };
  using Sequence = std::uint64_t;

  void take_over();
  void read();
  void fetch(std::vector<Sequence> sequences);
  void store_failed(const Error& error);
  void took(const std::vector<Sequence>& sequences,
            const std::vector<std::optional<Bytes>>& values);
  void add(Sequence sequence, Message message, unsigned attempts);
  void make_ready(Sequence sequence);
  void later(Sequence sequence, std::chrono::milliseconds pause);
  void due();
  void bring();
  void done(Sequence sequence);
  void bury(Sequence sequence, const std::string& reason);
  void thin_dead();
  void write();
  void release_if_over();
  std::string lane_of(const Message& message) const;
  keyvalue::Request request();
  // Calls `work` with the queue, if it is still there.
  template <class Work>
  auto while_here(Work work);

  // Null once the queue is gone: answers come later.
  const std::shared_ptr<LogQueue*> self_;
  Loop& loop_;
  const std::shared_ptr<Log> log_;
  const std::shared_ptr<keyvalue::Bucket> bucket_;
  const Wanted wanted_;
  Receiver& receiver_;
  bool has_turn_ = false;
  bool stopped_ = false;
  bool released_ = false;
  bool reading_ = false;
  bool writing_ = false;
  bool changed_ = false;  // Since what is being written.
  std::size_t out_ = 0;
  Sequence position_ = 0;  // All before it were taken.
  std::map<Sequence, Item> items_;
  std::map<std::string, std::set<Sequence>> lanes_;
  std::set<Sequence> ready_;
  std::multimap<Deadline::Clock::time_point, Sequence> later_;
  Timer timer_;
};

}  // namespace weft::messaging
