#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace weft::cron {

using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

// Where Debian and others keep the rules of time zones.
inline constexpr std::string_view kZoneFolder = "/usr/share/zoneinfo";
inline constexpr std::size_t kZoneBytesMax = 256 * 1024;

// What holds after the last change that a zone's file lists: "CET-1CEST,M3.5.0,M10.5.0/3".
class ZoneRule {
 public:
  static Result<ZoneRule> parse(std::string_view text);
  seconds offset(sys_seconds when) const;

 private:
  // The day of a change, in one of the three ways to say it, and the clock's time on it.
  struct Change {
    enum class Kind : unsigned char { kWeekday, kDayWithoutLeap, kDay } kind = Kind::kDay;
    unsigned month = 0;
    unsigned week = 0;  // 5 is the last one.
    unsigned day = 0;   // Of the week, or of the year.
    seconds time{7200};
  };
  static Result<Change> parse_change(std::string_view& text);
  static local_seconds moment(const Change& change, std::chrono::year year);

  seconds standard_{0};
  seconds summer_{0};
  bool has_summer_ = false;
  Change begin_;
  Change end_;
};

// What clocks show in a place: a value, which knows the changes of the past and the rule for the
// future. Read once, when a schedule is read.
class Zone {
 public:
  static Zone utc() { return {}; }
  // By its name in the database: "Europe/Berlin". kNotFound, or kCorrupt.
  static Result<Zone> find(std::string_view name, const std::filesystem::path& folder =
                                                      std::filesystem::path(kZoneFolder));
  // A file of the database ("TZif", RFC 9636).
  static Result<Zone> parse(BytesView file);

  // How far clocks are ahead of UTC.
  seconds offset(sys_seconds when) const;
  local_seconds local(sys_seconds when) const {
    return local_seconds((when + offset(when)).time_since_epoch());
  }
  // When clocks show that time: once, or twice where they were set back. Where they were set
  // forward over it the moment of that.
  struct Moments {
    sys_seconds first;
    std::optional<sys_seconds> second;
  };
  Moments moments(local_seconds time) const;

 private:
  struct Change {
    sys_seconds when;
    seconds offset;
  };

  seconds first_{0};  // Before the first change.
  std::vector<Change> changes_;
  std::optional<ZoneRule> rule_;  // After the last.
};

// What clocks show there: "2026-11-26 18:30:00+01:00".
std::string shown_time(const Zone& zone, sys_seconds when);

}  // namespace weft::cron
