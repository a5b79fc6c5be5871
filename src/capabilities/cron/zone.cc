#include "capabilities/cron/zone.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "base/nearest.h"

namespace weft::cron {
namespace {

namespace chrono = std::chrono;

// Big-endian numbers out of bytes, of which there may be too few.
class Cursor {
 public:
  explicit Cursor(BytesView bytes) : bytes_(bytes) {}

  bool skip(std::size_t count) {
    if (count > bytes_.size()) return ok_ = false;
    bytes_ = bytes_.subspan(count);
    return true;
  }
  std::int64_t number(std::size_t size) {
    if (size > bytes_.size()) {
      ok_ = false;
      return 0;
    }
    std::uint64_t value = (bytes_[0] & 0x80) != 0 && size > 1 ? ~std::uint64_t{0} : 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes_[i];
    bytes_ = bytes_.subspan(size);
    return static_cast<std::int64_t>(value);
  }
  BytesView rest() const { return bytes_; }
  bool ok() const { return ok_; }

 private:
  BytesView bytes_;
  bool ok_ = true;
};

// How many there are of each part of a TZif block.
struct Counts {
  std::size_t universal, standard, leaps, changes, types, characters;

  static Counts read(Cursor& in) {
    auto next = [&] { return static_cast<std::uint32_t>(in.number(4)); };
    Counts counts{};
    for (std::size_t* each : {&counts.universal, &counts.standard, &counts.leaps, &counts.changes,
                              &counts.types, &counts.characters}) {
      *each = next();
    }
    return counts;
  }
  std::size_t after_changes(std::size_t time_size) const {
    return types * 6 + characters + leaps * (time_size + 4) + standard + universal;
  }
};

constexpr std::size_t kReserved = 15;

std::unexpected<Error> no_zone(std::string_view what) {
  return failure(Errc::kCorrupt, fmt::format("no file of a time zone: {}", what));
}

// Takes a name off: letters, or anything between < and >.
bool take_name(std::string_view& text) {
  std::size_t length = 0;
  if (text.starts_with('<')) {
    length = text.find('>');
    if (length == text.npos) return false;
    ++length;
  } else {
    auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    while (length < text.size() && letter(text[length])) ++length;
  }
  text.remove_prefix(length);
  return length >= 3;
}

std::optional<unsigned> take_number(std::string_view& text) {
  std::size_t length = 0;
  unsigned value = 0;
  while (length < text.size() && length < 4 && text[length] >= '0' && text[length] <= '9') {
    value = value * 10 + static_cast<unsigned>(text[length++] - '0');
  }
  text.remove_prefix(length);
  if (length == 0) return std::nullopt;
  return value;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// [+-]HH[:MM[:SS]]
std::optional<seconds> take_time(std::string_view& text) {
  bool negative = take(text, '-');
  if (!negative) take(text, '+');
  auto hours = take_number(text);
  if (!hours || *hours > 167) return std::nullopt;
  seconds time = chrono::hours(*hours);
  for (seconds unit : {seconds(60), seconds(1)}) {
    if (!take(text, ':')) break;
    auto part = take_number(text);
    if (!part || *part > 59) return std::nullopt;
    time += *part * unit;
  }
  return negative ? -time : time;
}

}  // namespace

Result<ZoneRule::Change> ZoneRule::parse_change(std::string_view& text) {
  Change change;
  auto wrong = [] { return failure(Errc::kInvalid, "the day of a change of clocks"); };
  if (take(text, 'M')) {
    change.kind = Change::Kind::kWeekday;
    auto month = take_number(text);
    if (!month || !take(text, '.')) return wrong();
    auto week = take_number(text);
    if (!week || !take(text, '.')) return wrong();
    auto day = take_number(text);
    if (!day || *month < 1 || *month > 12 || *week < 1 || *week > 5 || *day > 6) return wrong();
    change.month = *month;
    change.week = *week;
    change.day = *day;
  } else {
    bool without_leap = take(text, 'J');
    auto day = take_number(text);
    if (!day || *day > 365 || (without_leap && *day < 1)) return wrong();
    change.kind = without_leap ? Change::Kind::kDayWithoutLeap : Change::Kind::kDay;
    change.day = *day;
  }
  if (take(text, '/')) {
    auto time = take_time(text);
    if (!time) return wrong();
    change.time = *time;
  }
  return change;
}

Result<ZoneRule> ZoneRule::parse(std::string_view text) {
  std::string_view all = text;
  auto wrong = [&] {
    return failure(Errc::kInvalid, fmt::format("\"{}\" is no rule of a time zone", all));
  };
  ZoneRule rule;
  if (!take_name(text)) return wrong();
  auto standard = take_time(text);
  if (!standard) return wrong();
  rule.standard_ = -*standard;
  if (text.empty()) return rule;
  if (!take_name(text)) return wrong();
  rule.has_summer_ = true;
  rule.summer_ = rule.standard_ + chrono::hours(1);
  if (!text.starts_with(',')) {
    auto summer = take_time(text);
    if (!summer) return wrong();
    rule.summer_ = -*summer;
  }
  for (Change* change : {&rule.begin_, &rule.end_}) {
    if (!take(text, ',')) return wrong();
    auto read = parse_change(text);
    if (!read) return wrong();
    *change = *read;
  }
  if (!text.empty()) return wrong();
  return rule;
}

local_seconds ZoneRule::moment(const Change& change, chrono::year year) {
  if (change.kind == Change::Kind::kWeekday) {
    auto month = year / chrono::month(change.month);
    chrono::weekday day(change.day);
    chrono::local_days date = change.week == 5
                                  ? chrono::local_days(month / chrono::weekday_last(day))
                                  : chrono::local_days(month / day[change.week]);
    return date + change.time;
  }
  unsigned day = change.day;
  if (change.kind == Change::Kind::kDayWithoutLeap) {
    constexpr unsigned kLastOfFebruary = 59;
    if (!year.is_leap() || day <= kLastOfFebruary) --day;
  }
  return chrono::local_days(year / chrono::January / 1) + chrono::days(day) + change.time;
}

seconds ZoneRule::offset(sys_seconds when) const {
  if (!has_summer_) return standard_;
  chrono::year_month_day date(chrono::floor<chrono::days>(when + standard_));
  auto at = [&](const Change& change, seconds before) {
    return sys_seconds(moment(change, date.year()).time_since_epoch() - before);
  };
  sys_seconds begin = at(begin_, standard_);
  sys_seconds end = at(end_, summer_);
  bool summer = begin < end ? when >= begin && when < end : when >= begin || when < end;
  return summer ? summer_ : standard_;
}

Result<Zone> Zone::parse(BytesView file) {
  Cursor in(file);
  auto header = [&]() -> std::optional<Counts> {
    if (!as_text(in.rest()).starts_with("TZif")) return std::nullopt;
    in.skip(4 + 1 + kReserved);
    Counts counts = Counts::read(in);
    if (!in.ok()) return std::nullopt;
    return counts;
  };
  auto counts = header();
  if (!counts) return no_zone("its beginning is another");
  if (file[4] < '2') return no_zone("its version is 1, which ends in 2037");
  if (!in.skip(counts->changes * 5 + counts->after_changes(4))) return no_zone("it is cut short");
  counts = header();
  if (!counts || counts->types == 0) return no_zone("its second part is another");
  Zone zone;
  std::vector<sys_seconds> times;
  for (std::size_t i = 0; i < counts->changes && in.ok(); ++i) {
    times.emplace_back(seconds(in.number(8)));
  }
  std::vector<std::size_t> kinds;
  for (std::size_t i = 0; i < counts->changes && in.ok(); ++i) {
    kinds.push_back(static_cast<std::uint8_t>(in.number(1)));
  }
  std::vector<seconds> offsets;
  for (std::size_t i = 0; i < counts->types && in.ok(); ++i) {
    offsets.emplace_back(in.number(4));
    in.skip(2);
  }
  in.skip(counts->after_changes(8) - counts->types * 6);
  if (!in.ok()) return no_zone("it is cut short");
  if (!std::ranges::is_sorted(times)) return no_zone("its changes are in no order");
  zone.first_ = offsets.front();
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (kinds[i] >= offsets.size()) return no_zone("a change to what is not there");
    zone.changes_.push_back({times[i], offsets[kinds[i]]});
  }
  for (seconds each : offsets) {
    if (each > chrono::hours(26) || each < -chrono::hours(26)) return no_zone("an offset of days");
  }
  std::string_view footer = as_text(in.rest());
  if (footer.size() < 2 || !footer.starts_with('\n')) return no_zone("it has no end");
  footer.remove_prefix(1);
  std::size_t end = footer.find('\n');
  if (end == footer.npos) return no_zone("it has no end");
  if (end > 0) {
    TRY(zone.rule_, ZoneRule::parse(footer.substr(0, end)));
  }
  return zone;
}

namespace {

// Of tzdata's folder, with its second names.
constexpr std::size_t kZonesMax = 5'000;

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// The zones of a folder, less what stands there a second time.
std::vector<std::string> zones_in(const std::filesystem::path& folder) {
  std::vector<std::string> zones;
  std::error_code problem;
  std::filesystem::recursive_directory_iterator each(folder, problem);
  for (; !problem && each != std::filesystem::recursive_directory_iterator();
       each.increment(problem)) {
    std::string name = each->path().lexically_relative(folder).string();
    if (name == "posix" || name == "right") each.disable_recursion_pending();
    // Beside zones there are tables, whose names are not written so.
    bool zone = name.front() >= 'A' && name.front() <= 'Z' && !name.contains('.');
    if (zone && each->is_regular_file(problem)) zones.push_back(std::move(name));
    if (zones.size() == kZonesMax) break;
  }
  std::ranges::sort(zones);
  return zones;
}

// The zone that is meant by a name that is none; empty: nobody knows.
std::string zone_like(std::string_view name, const std::filesystem::path& folder) {
  std::vector<std::string> zones = zones_in(folder);
  std::string small = lower(std::string(name));
  std::ranges::replace(small, ' ', '_');
  std::vector<std::string> smalls;
  for (const std::string& each : zones) {
    smalls.push_back(lower(each));
    if (smalls.back() == small) return each;
  }
  // "berlin"
  for (std::size_t i = 0; i < zones.size(); ++i) {
    if (smalls[i].ends_with("/" + small)) return zones[i];
  }
  std::vector<std::string_view> known(smalls.begin(), smalls.end());
  auto near = nearest(small, known);
  if (!near) return {};
  return zones[static_cast<std::size_t>(std::ranges::find(known, *near) - known.begin())];
}

}  // namespace

Result<Zone> Zone::find(std::string_view name, const std::filesystem::path& folder) {
  if (name == "UTC") return utc();
  auto wrong = [&](std::string_view why) {
    return failure(
        Errc::kNotFound,
        fmt::format("no time zone \"{}\"{}: write one like \"Europe/Berlin\"", name, why));
  };
  auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '_' || c == '-' || c == '+';
  };
  bool spaced = !std::ranges::all_of(name, [&](char c) { return plain(c) || c == ' '; });
  if (name.empty() || name.front() == '/' || spaced) return wrong("");
  std::filesystem::path path = folder / name;
  std::error_code problem;
  if (!std::filesystem::is_regular_file(path, problem)) {
    if (!std::filesystem::is_directory(folder, problem)) {
      return wrong(fmt::format(" ({} is not there: install tzdata)", folder.string()));
    }
    std::string meant = zone_like(name, folder);
    if (meant.empty()) return wrong("");
    return failure(Errc::kNotFound,
                   fmt::format("no time zone \"{}\": did you mean \"{}\"?", name, meant));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(kZoneBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kZoneBytesMax) return no_zone("it is too long");
  auto zone = parse(as_bytes(text));
  if (!zone) return std::unexpected(std::move(zone).error().within(path.string()));
  return zone;
}

seconds Zone::offset(sys_seconds when) const {
  auto after = std::ranges::upper_bound(changes_, when, {}, &Change::when);
  if (after == changes_.end() && rule_) return rule_->offset(when);
  return after == changes_.begin() ? first_ : std::prev(after)->offset;
}

Zone::Moments Zone::moments(local_seconds time) const {
  constexpr auto kFar = chrono::hours(30);  // Further than any zone is from UTC.
  sys_seconds as_utc(time.time_since_epoch());
  sys_seconds before = as_utc - kFar;
  sys_seconds behind = as_utc + kFar;
  std::optional<sys_seconds> found;
  std::optional<sys_seconds> second;
  for (seconds each : {offset(before), offset(behind)}) {
    sys_seconds when = as_utc - each;
    if (offset(when) != each || found == when) continue;
    (found ? second : found) = when;
  }
  if (found && second) return {std::min(*found, *second), std::max(*found, *second)};
  if (found) return {*found, std::nullopt};
  // No clock shows it: the first moment with another offset.
  seconds old = offset(before);
  while (behind - before > seconds(1)) {
    sys_seconds middle = before + (behind - before) / 2;
    (offset(middle) == old ? before : behind) = middle;
  }
  return {behind, std::nullopt};
}

std::string shown_time(const Zone& zone, sys_seconds when) {
  auto local = zone.local(when);
  auto day = chrono::floor<chrono::days>(local);
  chrono::year_month_day date(day);
  chrono::hh_mm_ss time(local - day);
  auto offset = zone.offset(when);
  chrono::hh_mm_ss ahead(chrono::abs(offset));
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}{}{:02}:{:02}",
                     static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count(), offset.count() < 0 ? '-' : '+',
                     ahead.hours().count(), ahead.minutes().count());
}

}  // namespace weft::cron
