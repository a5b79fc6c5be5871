#include "capabilities/cron/schedule.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/limits.h"
#include "base/nearest.h"

namespace weft::cron {
namespace {

namespace chrono = std::chrono;

constexpr std::array<std::string_view, 12> kMonths{"jan", "feb", "mar", "apr", "may", "jun",
                                                   "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays{"sun", "mon", "tue", "wed",
                                                    "thu", "fri", "sat"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kShort{{
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
    {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
}};

struct Field {
  std::string_view name;
  unsigned least;
  unsigned most;
  std::span<const std::string_view> words = {};  // Of `least` and those after it.
};
constexpr std::array<Field, 5> kFields{{{"minute", 0, 59},
                                        {"hour", 0, 23},
                                        {"day of the month", 1, 31},
                                        {"month", 1, 12, kMonths},
                                        {"day of the week", 0, 7, kWeekdays}}};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

Result<unsigned> read_value(const Field& field, std::string_view text) {
  for (std::size_t i = 0; i < field.words.size(); ++i) {
    if (field.words[i] == text) return field.least + static_cast<unsigned>(i);
  }
  unsigned value = 0;
  bool number = !text.empty() && text.size() <= 4;
  for (char c : text) {
    number = number && c >= '0' && c <= '9';
    if (number) value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (number && value >= field.least && value <= field.most) return value;
  return failure(Errc::kInvalid, fmt::format("\"{}\" is no {}: {} to {}", text, field.name,
                                             field.least, field.most));
}

// One of a list: VALUE, FIRST-LAST or *, and behind it perhaps /STEP.
template <std::size_t kSize>
Result<void> read_part(const Field& field, std::string_view text, std::bitset<kSize>& set) {
  unsigned step = 1;
  std::size_t slash = text.find('/');
  std::string_view range = text.substr(0, slash);
  if (slash != text.npos) {
    Field steps{"step", 1, field.most};
    TRY(step, read_value(steps, text.substr(slash + 1)));
  }
  unsigned first = field.least;
  unsigned last = field.most;
  if (range != "*") {
    std::size_t dash = range.find('-');
    TRY(first, read_value(field, range.substr(0, dash)));
    if (dash != range.npos) {
      TRY(last, read_value(field, range.substr(dash + 1)));
    } else if (slash == text.npos) {
      last = first;
    }
    // "fri-sun", where Sunday comes first.
    if (last == 0 && first > 0 && field.most == 7) last = 7;
    if (last < first) {
      return failure(Errc::kInvalid,
                     fmt::format("\"{}\": a range of {}s goes up", text, field.name));
    }
  }
  for (unsigned value = first; value <= last; value += step) set.set(value % kSize);
  return {};
}

template <std::size_t kSize>
Result<void> read_field(const Field& field, std::string_view text, std::bitset<kSize>& set) {
  for (;;) {
    std::size_t comma = text.find(',');
    TRY_VOID(read_part(field, text.substr(0, comma), set));
    if (comma == text.npos) return {};
    text.remove_prefix(comma + 1);
  }
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (;;) {
    std::size_t begin = text.find_first_not_of(" \t");
    if (begin == text.npos) return words;
    text.remove_prefix(begin);
    std::size_t end = std::min(text.find_first_of(" \t"), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

constexpr std::string_view kHow = "write five fields, as \"0 3 * * *\", or \"every 15m\"";

bool is_number(std::string_view text) {
  return text.find_first_not_of("0123456789.") == std::string_view::npos;
}

// Minutes are also "min", as in all other times that people write.
Result<std::uint64_t> interval_of(std::string_view text) {
  if (text.ends_with("min")) text.remove_suffix(2);
  return parse_duration_ns(text);
}

bool is_interval_text(std::string_view text) {
  return interval_of(text).has_value() && !is_number(text);
}

// What is none, with what was meant, as far as that is seen.
std::unexpected<Error> no_schedule(std::string_view text, std::span<const std::string_view> words) {
  if (words.size() == 1 && words[0] == "@reboot") {
    return failure(Errc::kInvalid,
                   "@reboot is no time, and a start of weft wakes nobody: write a schedule, and "
                   "missed = \"once\" for a run that is made up for after a start");
  }
  if (words.size() == 1 && words[0].starts_with('@')) {
    std::vector<std::string_view> known;
    for (auto [name, fields] : kShort) known.push_back(name);
    auto meant = words[0] == "@midnight" ? std::optional<std::string_view>("@daily")
                                         : nearest(words[0], known);
    return failure(Errc::kInvalid,
                   fmt::format("\"{}\" is none of {}{}", text, fmt::join(known, ", "),
                               meant ? fmt::format(": did you mean {}?", *meant) : ""));
  }
  if (words.size() == 3 && words[0] == "every") {
    std::string meant = fmt::format("{}{}", words[1], words[2]);
    // "15 minutes"
    if (!is_interval_text(meant)) meant = fmt::format("{}{}", words[1], words[2].substr(0, 1));
    if (is_interval_text(meant)) {
      return failure(Errc::kInvalid,
                     fmt::format("\"{}\": did you mean \"every {}\"?", text, meant));
    }
  }
  if (words.size() == 1 && is_interval_text(words[0])) {
    return failure(Errc::kInvalid, fmt::format("\"{0}\": did you mean \"every {0}\"?", text));
  }
  if (words.size() == kFields.size() + 1) {
    return failure(Errc::kInvalid,
                   fmt::format("\"{}\" has 6 fields, and seconds are not among those of here: {}",
                               text, kHow));
  }
  return failure(Errc::kInvalid, fmt::format("\"{}\" has {} {}: {}", text, words.size(),
                                             words.size() == 1 ? "field" : "fields", kHow));
}

}  // namespace

Result<Schedule> Schedule::parse(std::string_view text) {
  std::string small = lower(text);
  std::vector<std::string_view> words = words_of(small);
  for (auto [name, fields] : kShort) {
    if (words.size() == 1 && words[0] == name) words = words_of(fields);
  }
  Schedule schedule;
  if (words.size() == 2 && words[0] == "every") {
    if (is_number(words[1])) {
      return failure(Errc::kInvalid,
                     fmt::format("\"{}\" has no unit: write \"every {}m\" for minutes, "
                                 "or s, h",
                                 text, words[1]));
    }
    auto ns = interval_of(words[1]);
    auto most = static_cast<std::uint64_t>(chrono::nanoseconds(kIntervalMax).count());
    if (!ns || *ns % 1'000'000'000 != 0 || *ns == 0 || *ns > most) {
      return failure(Errc::kInvalid,
                     fmt::format("\"{}\" is no interval: full seconds, a year at most, as \"90s\" "
                                 "or \"6h\"",
                                 words[1]));
    }
    schedule.interval_ = seconds(*ns / 1'000'000'000);
    return schedule;
  }
  if (words.size() != kFields.size()) return no_schedule(text, words);
  TRY_VOID(read_field(kFields[0], words[0], schedule.minutes_));
  TRY_VOID(read_field(kFields[1], words[1], schedule.hours_));
  TRY_VOID(read_field(kFields[2], words[2], schedule.days_));
  TRY_VOID(read_field(kFields[3], words[3], schedule.months_));
  TRY_VOID(read_field(kFields[4], words[4], schedule.weekdays_));
  schedule.any_day_ = words[2].starts_with('*');
  schedule.any_weekday_ = words[4].starts_with('*');
  return schedule;
}

// Runs that are less than an hour apart are so in an hour, or over its end, and in each that is
// named.
seconds Schedule::least_apart() const {
  seconds least = chrono::hours(1);
  if (is_interval()) return std::min(least, interval_);
  sys_seconds before(seconds(0));
  std::optional<sys_seconds> first = next(Zone::utc(), before);
  if (!first) return least;
  before = *first;
  for (std::size_t i = 0; i <= minutes_.size(); ++i) {
    std::optional<sys_seconds> each = next(Zone::utc(), before);
    if (!each) break;
    least = std::min(least, *each - before);
    before = *each;
  }
  return least;
}

bool Schedule::is_day(chrono::local_days day) const {
  chrono::year_month_day date(day);
  if (!months_[static_cast<unsigned>(date.month())]) return false;
  bool by_day = days_[static_cast<unsigned>(date.day())];
  bool by_weekday = weekdays_[chrono::weekday(day).c_encoding()];
  return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

std::vector<sys_seconds> Schedule::times_of(const Zone& zone, chrono::local_days day) const {
  std::vector<sys_seconds> times;
  if (!is_day(day)) return times;
  for (unsigned hour = 0; hour < hours_.size(); ++hour) {
    if (!hours_[hour]) continue;
    for (unsigned minute = 0; minute < minutes_.size(); ++minute) {
      if (!minutes_[minute]) continue;
      Zone::Moments moments = zone.moments(day + chrono::hours(hour) + chrono::minutes(minute));
      times.push_back(moments.first);
      if (moments.second && hours_.all()) times.push_back(*moments.second);
    }
  }
  std::ranges::sort(times);
  auto same = std::ranges::unique(times);
  times.erase(same.begin(), same.end());
  return times;
}

std::optional<sys_seconds> Schedule::next(const Zone& zone, sys_seconds after) const {
  if (interval_.count() > 0) {
    auto since = after.time_since_epoch();
    auto count = since / interval_ - (since % interval_ < seconds(0) ? 1 : 0);
    return sys_seconds((count + 1) * interval_);
  }
  // A day before, for clocks that are set back over midnight.
  auto day = chrono::floor<chrono::days>(zone.local(after)) - chrono::days(1);
  for (auto end = day + kLookAhead; day < end; day += chrono::days(1)) {
    for (sys_seconds each : times_of(zone, day)) {
      if (each > after) return each;
    }
  }
  return std::nullopt;
}

std::vector<sys_seconds> Schedule::last(const Zone& zone, sys_seconds after, sys_seconds until,
                                        std::size_t most) const {
  std::vector<sys_seconds> found;  // The last one first.
  if (interval_.count() > 0) {
    auto each = chrono::floor<seconds>(until);
    each -= each.time_since_epoch() % interval_;
    for (; each > after && found.size() < most; each -= interval_) found.push_back(each);
  } else {
    auto day = chrono::floor<chrono::days>(zone.local(until)) + chrono::days(1);
    auto end = std::max(chrono::floor<chrono::days>(zone.local(after)) - chrono::days(1),
                        day - kLookAhead);
    for (; day >= end && found.size() < most; day -= chrono::days(1)) {
      std::vector<sys_seconds> times = times_of(zone, day);
      for (auto each = times.rbegin(); each != times.rend() && found.size() < most; ++each) {
        if (*each <= until && *each > after) found.push_back(*each);
      }
    }
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace weft::cron
