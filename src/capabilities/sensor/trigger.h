#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "capabilities/sensor/feed.h"
#include "capabilities/sensor/threshold.h"
#include "capabilities/waking.h"
#include "io/timer.h"
#include "observe/meters.h"

namespace weft::sensor {

// Measurements of one call, and how many that is where nothing is said.
inline constexpr std::size_t kBatchMax = 1'000;
inline constexpr std::size_t kBatchByDefault = 100;
// Crossings that wait for a handler that is slow; beyond that the oldest is left out.
inline constexpr std::size_t kCrossingsMax = 1'000;
// Calls for one batch or crossing, until it is given up.
inline constexpr unsigned kAttempts = 5;
// Before the second, and doubled before each later one.
inline constexpr std::chrono::milliseconds kRetry{100};
// When there is no room for an instance.
inline constexpr std::chrono::milliseconds kNoRoom{20};
// How long is waited to be told which sensors there are.
inline constexpr std::chrono::seconds kListMax{10};

struct TriggerOptions {
  std::string pattern = {};  // With its space.
  Limits limits = {};
  Policy policy = {.kind = Policy::Kind::kAll};
  std::size_t most = kBatchByDefault;
  std::chrono::nanoseconds every{0};  // A batch is full, or so old.

  bool crossings() const { return limits.above || limits.below; }
};

// Calls a component for what comes of some sensors: in batches, or where one crosses a limit. One
// call at a time, in order; what comes meanwhile waits, within its bounds. On one loop.
class SensorTrigger final : public Subscription {
 public:
  SensorTrigger(const Waking& waking, TriggerOptions options, std::shared_ptr<Source> source);
  ~SensorTrigger() override;

  void stop() override;
  bool idle() const override { return !under_way_; }

 private:
  // What one call is made for.
  using Event = std::variant<std::vector<Measurement>, Crossing>;

  Result<void> watch();
  void look_for();
  void came(const Measurement& measurement);
  void go_on();
  void call();
  void ended(Result<void> outcome);
  void tell(std::string_view what, std::string_view why) const;

  const std::shared_ptr<SensorTrigger*> self_;  // Null once it is gone: calls end later.
  Loop& loop_;
  const std::string app_;
  const std::string component_;
  HandlerCalls& calls_;
  const RunCount runs_;
  const TriggerOptions options_;
  const std::shared_ptr<Source> source_;  // Shared with the loop's others.
  bool stopped_ = false;
  bool under_way_ = false;
  unsigned failed_ = 0;                  // Calls for the event that were in vain.
  std::unique_ptr<const Event> event_;   // That is called for, or is to be again.
  std::unique_ptr<Feed> feed_;           // Of batches.
  Deadline::Clock::time_point begun_{};  // The last of them.
  Threshold threshold_;
  std::deque<Crossing> crossings_;
  std::unique_ptr<Watching> watching_;
  Timer later_;
};

}  // namespace weft::sensor
