#include "capabilities/messaging/drivers/kafka/window.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace weft::messaging::kafka {
namespace {

// weft1;FROM-TO,FROM-TO;OFFSETxTIMES,...: runs that are done, and what failed how often; offsets
// are counted from the position.
constexpr std::string_view kBegin = "weft1;";
constexpr std::int64_t kAheadMax = std::int64_t{1} << 40;

std::string_view take(std::string_view& text, char end) {
  std::string_view part = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

// Two numbers with something between them.
std::optional<std::pair<std::int64_t, std::int64_t>> two(std::string_view text, char between) {
  std::int64_t first = 0;
  std::int64_t second = 0;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, first);
  if (error != std::errc() || stop == end || *stop != between) return std::nullopt;
  auto [last, wrong] = std::from_chars(stop + 1, end, second);
  if (wrong != std::errc() || last != end) return std::nullopt;
  if (first < 0 || first > kAheadMax || second < 0 || second > kAheadMax) return std::nullopt;
  return std::pair(first, second);
}

}  // namespace

Window::Window(Offset position, std::string_view notes) : next_(position) {
  if (notes.size() > kNotesBytesMax || !notes.starts_with(kBegin)) return;
  notes.remove_prefix(kBegin.size());
  std::string_view runs = take(notes, ';');
  while (!runs.empty()) {
    auto run = two(take(runs, ','), '-');
    if (run && run->first < run->second) add_run(position + run->first, position + run->second);
  }
  while (!notes.empty()) {
    auto failure = two(take(notes, ','), 'x');
    if (failure) {
      failures_[position + failure->first] =
          static_cast<unsigned>(std::min<std::int64_t>(failure->second, 1'000'000));
    }
  }
}

void Window::add_run(Offset from, Offset to) {
  if (from >= to) return;
  auto next = runs_.upper_bound(from);
  if (next != runs_.begin()) {
    auto before = std::prev(next);
    if (before->second >= from) {
      from = before->first;
      to = std::max(to, before->second);
      next = runs_.erase(before);
    }
  }
  while (next != runs_.end() && next->first <= to) {
    to = std::max(to, next->second);
    next = runs_.erase(next);
  }
  runs_.emplace(from, to);
}

bool Window::in_run(Offset offset) const {
  auto next = runs_.upper_bound(offset);
  return next != runs_.begin() && std::prev(next)->second > offset;
}

void Window::trim() {
  Offset here = position();
  while (!runs_.empty() && runs_.begin()->second <= here) runs_.erase(runs_.begin());
  failures_.erase(failures_.begin(), failures_.lower_bound(here));
}

std::optional<unsigned> Window::came(Offset offset) {
  if (offset < position() || open_.contains(offset)) return std::nullopt;
  // Offsets that nothing has: of transactions, or compacted away.
  add_run(next_, offset);
  next_ = std::max(next_, offset + 1);
  if (in_run(offset)) {
    trim();
    return std::nullopt;
  }
  auto known = failures_.extract(offset);
  return open_[offset] = known.empty() ? 0 : known.mapped();
}

void Window::failed(Offset offset, unsigned attempts) {
  if (auto found = open_.find(offset); found != open_.end()) found->second = attempts;
}

void Window::done(Offset offset) {
  if (open_.erase(offset) == 0) return;
  add_run(offset, offset + 1);
  trim();
}

std::string Window::notes() const {
  Offset here = position();
  std::string runs;
  std::string failures;
  auto add = [&](std::string& to, Offset first, char between, std::int64_t second) {
    std::string one = fmt::format("{}{}{}{}", to.empty() ? "" : ",", first, between, second);
    if (kBegin.size() + runs.size() + failures.size() + one.size() < kNotesBytesMax) to += one;
  };
  for (const auto& [offset, times] : open_) {
    if (times > 0) add(failures, offset - here, 'x', times);
  }
  for (const auto& [offset, times] : failures_) add(failures, offset - here, 'x', times);
  for (const auto& [from, to] : runs_) add(runs, std::max(from, here) - here, '-', to - here);
  if (runs.empty() && failures.empty()) return "";
  return fmt::format("{}{};{}", kBegin, runs, failures);
}

}  // namespace weft::messaging::kafka
