#pragma once

#include <functional>
#include <memory>
#include <string>

#include "capabilities/cron/record.h"
#include "capabilities/cron/schedule.h"
#include "capabilities/keyvalue/bucket.h"
#include "capabilities/lock/acquisition.h"
#include "capabilities/waking.h"
#include "io/timer.h"

namespace weft::cron {

// How often a schedule is looked at while nothing is due: the calendar may be set.
inline constexpr std::chrono::seconds kLookAgain{30};
// And after it was found that another host runs it, or that what keeps it cannot be asked.
inline constexpr std::chrono::seconds kElsewhere{1};
// A run holds its schedule's lock for so long, and renews it three times as often. So long a host
// that died keeps others from running.
inline constexpr std::chrono::milliseconds kRunTtl{15'000};
// How long a run waits for room for an instance.
inline constexpr std::chrono::seconds kRoomWait{60};
inline constexpr std::chrono::milliseconds kNoRoomPause{50};
// How long one question to what keeps the schedule may take.
inline constexpr std::chrono::seconds kAskMax{10};
// How much later a run may begin by chance.
inline constexpr std::chrono::milliseconds kJitterMax = std::chrono::hours(1);
// Runs of one schedule that overlap, where they may.
inline constexpr std::size_t kOverlapMax = 16;

struct TriggerOptions {
  std::string text = {};  // The schedule, as it is written.
  Schedule schedule = {};
  Zone zone = {};
  std::chrono::milliseconds jitter{0};
  Missed missed = Missed::kSkip;
  bool overlap = false;
  std::function<sys_seconds()> now = {};  // The calendar.
};

// Where a schedule's lock and record are.
struct Keeping {
  std::shared_ptr<lock::Locks> locks;  // Closed by the trigger.
  std::shared_ptr<keyvalue::Store> records;
  std::string scope;  // Whose: the app.
};

// Calls a component when a schedule says so. On one loop.
class CronTrigger final : public Subscription {
 public:
  CronTrigger(const Waking& waking, TriggerOptions options, Keeping keeping);
  ~CronTrigger() override;

  void stop() override;
  bool idle() const override;
  // As its timer does: begins what is due by the calendar.
  void look();

 private:
  struct State;
  // Shared with what is under way, which has it weakly.
  const std::shared_ptr<State> state_;
};

}  // namespace weft::cron
