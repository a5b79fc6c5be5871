#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "capabilities/keyvalue/bucket.h"
#include "capabilities/keyvalue/watch.h"
#include "capabilities/waking.h"
#include "io/timer.h"
#include "observe/meters.h"

namespace weft::keyvalue {

// Calls of a handler for one key, until it is given up.
inline constexpr unsigned kWatchAttempts = 5;
// Before the second, and doubled before each later one.
inline constexpr std::chrono::milliseconds kWatchRetry{100};
// When there is no room for an instance.
inline constexpr std::chrono::milliseconds kWatchNoRoom{20};
// Calls under way for one trigger, unless it says otherwise.
inline constexpr std::size_t kWatchAtOnce = 8;

// Puts a bucket into an instance's table as the version of the interface has it.
using WriteBucket = void (*)(Writer& out, std::unique_ptr<Bucket> bucket);

// Tells a component of changed keys: each with the value that it has by then, one call a key at a
// time. On one loop.
class Watcher final : public Subscription {
 public:
  struct Options {
    std::string bucket;
    std::string prefix;
    std::size_t at_once = kWatchAtOnce;
    WriteBucket write_bucket = nullptr;
  };

  // `hub` and what `waking` borrows outlive it.
  Watcher(const Waking& waking, Options options, std::unique_ptr<Store> store, WatchHub& hub);
  ~Watcher() override;

  void stop() override;
  bool idle() const override { return under_way_.empty(); }

 private:
  struct Waiting {
    unsigned failed = 0;  // Attempts so far.
    Deadline::Clock::time_point due{};
  };

  void news();
  void wait(const std::string& key, Waiting waiting);
  void go_on();
  void ask(const std::string& key);
  void call(const std::string& key, std::unique_ptr<Bucket> bucket, std::optional<Bytes> value);
  void ended(const std::string& key, Result<void> outcome);

  // Goes with the watcher: answers that come after that find it gone.
  const std::shared_ptr<Watcher*> self_;
  Loop& loop_;
  const std::string app_;
  const std::string component_;
  HandlerCalls& calls_;
  const RunCount runs_;
  const Options options_;
  std::unique_ptr<Store> store_;
  WatchHub& hub_;
  std::shared_ptr<Watch> watch_;  // Shared with the hub.
  bool stopped_ = false;
  std::map<std::string, Waiting> waiting_;  // kWatchKeysMax at most.
  // The same in the order of their turns, so that none waits for ever behind others that change
  // all the time, and nobody looks through all of them.
  std::set<std::pair<Deadline::Clock::time_point, std::string>> turns_;
  std::map<std::string, unsigned> under_way_;  // With the attempts that failed before.
  Timer later_;
};

}  // namespace weft::keyvalue
