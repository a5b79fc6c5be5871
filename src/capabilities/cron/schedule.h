#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "capabilities/cron/zone.h"

namespace weft::cron {

// How far a schedule looks for its next time: February 29th comes every eight years at the latest.
inline constexpr std::chrono::days kLookAhead{366 * 9};
inline constexpr seconds kIntervalMin{1};
inline constexpr seconds kIntervalMax{std::chrono::hours(24 * 366)};

// When something is to be done: a cron expression of five fields, or an interval.
//
//   "30 2 * * mon-fri"  "*/15 8-18 * * *"  "0 0 1,15 jan *"  "@daily"  "every 90s"
//
// A day is one that both fields of days name where one of them is `*`, else one that either names.
// Intervals are counted from 1970 in UTC, so that all hosts agree. A time that clocks are set
// forward over is the moment of that; one that comes twice, because they are set back, is
// the first one, or both where every hour is named.
class Schedule {
 public:
  // kInvalid, and says which part.
  static Result<Schedule> parse(std::string_view text);

  bool is_interval() const { return interval_.count() > 0; }
  // The shortest time from one run to the next, an hour at most, as clocks go that nobody sets.
  seconds least_apart() const;
  // The first time after that moment; nothing where none comes ("0 0 30 feb *").
  std::optional<sys_seconds> next(const Zone& zone, sys_seconds after) const;
  // The last times in (after, until], in their order, `most` at most.
  std::vector<sys_seconds> last(const Zone& zone, sys_seconds after, sys_seconds until,
                                std::size_t most) const;

 private:
  bool is_day(std::chrono::local_days day) const;
  // All of one local day, in their order.
  std::vector<sys_seconds> times_of(const Zone& zone, std::chrono::local_days day) const;

  seconds interval_{0};  // 0: it is the fields.
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;     // From 1.
  std::bitset<13> months_;   // From 1.
  std::bitset<7> weekdays_;  // From Sunday.
  bool any_day_ = false;
  bool any_weekday_ = false;
};

}  // namespace weft::cron
