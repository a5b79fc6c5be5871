#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "capabilities/cron/zone.h"

namespace weft::cron {

// How far a schedule has come, for whichever host looks next: kept where its runs are.
struct Record {
  sys_seconds done{};       // Everything that is due until then was seen to.
  std::uint64_t token = 0;  // Of the last run.

  std::string text() const;
  static Result<Record> parse(std::string_view text);
};

// What becomes of runs whose time passed while nobody was there.
enum class Missed : unsigned char { kSkip, kOnce, kAll };
Result<Missed> read_missed(std::string_view text);

// With `skip` a run may begin so late. With `all` so many are made up for.
inline constexpr seconds kLateMax{60};
inline constexpr std::size_t kMissedMax = 100;

class Schedule;
// What is to be run now, in order, of what was due in (done, now]. With `skip`, nothing that is
// later than `late`.
std::vector<sys_seconds> due(const Schedule& schedule, const Zone& zone, sys_seconds done,
                             sys_seconds now, Missed missed, seconds late = kLateMax);

}  // namespace weft::cron
