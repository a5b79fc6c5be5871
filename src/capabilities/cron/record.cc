#include "capabilities/cron/record.h"

#include <fmt/format.h>

#include <charconv>

#include "capabilities/cron/schedule.h"

namespace weft::cron {

std::string Record::text() const {
  return fmt::format("{} {}", done.time_since_epoch().count(), token);
}

Result<Record> Record::parse(std::string_view text) {
  const char* end = text.data() + text.size();
  seconds::rep when = 0;
  Record record;
  auto first = std::from_chars(text.data(), end, when);
  bool whole = first.ec == std::errc() && first.ptr != end && *first.ptr == ' ';
  if (whole) {
    auto second = std::from_chars(first.ptr + 1, end, record.token);
    whole = second.ec == std::errc() && second.ptr == end;
  }
  if (!whole) {
    return failure(Errc::kCorrupt, "what is kept of the schedule is none of weft's: delete it");
  }
  record.done = sys_seconds(seconds(when));
  return record;
}

Result<Missed> read_missed(std::string_view text) {
  if (text.empty() || text == "skip") return Missed::kSkip;
  if (text == "once") return Missed::kOnce;
  if (text == "all") return Missed::kAll;
  return failure(Errc::kInvalid, "missed is \"skip\", \"once\" or \"all\"");
}

std::vector<sys_seconds> due(const Schedule& schedule, const Zone& zone, sys_seconds done,
                             sys_seconds now, Missed missed, seconds late) {
  std::vector<sys_seconds> runs =
      schedule.last(zone, done, now, missed == Missed::kAll ? kMissedMax : 1);
  if (missed == Missed::kSkip) {
    std::erase_if(runs, [&](sys_seconds each) { return now - each > late; });
  }
  return runs;
}

}  // namespace weft::cron
