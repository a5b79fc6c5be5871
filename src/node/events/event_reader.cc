#include "node/events/event_reader.h"

#include <fcntl.h>
#include <fmt/core.h>

#include <algorithm>

#include "node/events/files.h"
#include "node/events/marks.h"

namespace weft::node::events {

Result<EventReader> EventReader::open(std::filesystem::path folder, std::uint64_t from) {
  EventReader reader(std::move(folder), from);
  auto file = open_file(reader.folder_ / kDurableName, O_RDONLY);
  if (!file && file.error().code() == Errc::kNotFound) {
    return failure(Errc::kNotFound,
                   fmt::format("there is no log of events in {}", reader.folder_.native()));
  }
  TRY(reader.durable_file_, std::move(file));
  TRY_VOID(reader.find_oldest());
  TRY(bool there, reader.is_durable(reader.next_));
  if (there) TRY_VOID(reader.find());
  return reader;
}

// Says what `next_` is where it is the oldest, and whose log it is.
Result<void> EventReader::find_oldest() {
  TRY(auto firsts, segments_in(folder_));
  if (firsts.empty()) {
    return failure(Errc::kNotFound, fmt::format("there are no events in {}", folder_.native()));
  }
  if (next_ == 0) next_ = firsts.front();
  TRY(SegmentCursor cursor, SegmentCursor::open(folder_, firsts.back()));
  node_ = cursor.head().node;
  return {};
}

Result<bool> EventReader::is_durable(std::uint64_t sequence) {
  if (sequence <= durable_) return true;
  TRY(FoundMark found, read_durable(durable_file_.get(), folder_ / kDurableName));
  durable_ = std::max(durable_, found.mark.sequence);
  return sequence <= durable_;
}

std::unexpected<Error> EventReader::removed(std::uint64_t oldest) const {
  return failure(Errc::kNotFound,
                 fmt::format("event {} was removed to keep the log within its bound: the oldest "
                             "there is is {}",
                             next_, oldest));
}

Result<SegmentCursor> EventReader::open_segment_of_next() {
  // One that is removed between being listed and being opened makes place for another.
  constexpr int kTries = 3;
  for (int i = 1;; ++i) {
    TRY(auto firsts, segments_in(folder_));
    if (firsts.empty() || next_ < firsts.front()) {
      return removed(firsts.empty() ? next_ + 1 : firsts.front());
    }
    auto behind = std::ranges::upper_bound(firsts, next_);
    auto cursor = SegmentCursor::open(folder_, *(behind - 1));
    if (cursor || cursor.error().code() != Errc::kNotFound || i == kTries) return cursor;
  }
}

Result<void> EventReader::find() {
  TRY(cursor_, open_segment_of_next());
  TRY_VOID(cursor_.seek(next_));
  while (cursor_.sequence() < next_) {
    TRY(auto step, cursor_.next());
    if (step != SegmentCursor::Step::kRecord) return broken();
  }
  placed_ = true;
  return {};
}

std::unexpected<Error> EventReader::broken() const {
  return damage(cursor_.path(), cursor_.offset(),
                fmt::format("event {} is not what was written", cursor_.sequence()));
}

Result<void> EventReader::next_segment() {
  auto cursor = SegmentCursor::open(folder_, next_);
  if (!cursor && cursor.error().code() == Errc::kNotFound) {
    TRY(auto firsts, segments_in(folder_));
    if (!firsts.empty() && firsts.front() > next_) return removed(firsts.front());
    return broken();
  }
  TRY(SegmentCursor opened, std::move(cursor));
  if (opened.head().chain != cursor_.chain() || opened.head().node != node_) {
    return damage(opened.path(), 0, "it does not continue the events before it");
  }
  cursor_ = std::move(opened);
  return {};
}

Result<std::optional<Event>> EventReader::next() {
  TRY(bool there, is_durable(next_));
  if (!there) return std::nullopt;
  if (!placed_) TRY_VOID(find());
  TRY(auto step, cursor_.next());
  if (step == SegmentCursor::Step::kEnd) {
    TRY_VOID(next_segment());
    TRY(step, cursor_.next());
  }
  if (step != SegmentCursor::Step::kRecord) return broken();
  ++next_;
  return std::move(cursor_.event());
}

}  // namespace weft::node::events
