#include "record/replay.h"

#include <fmt/format.h>

#include <algorithm>

#include "values/call_values.h"

namespace weft {
namespace {

// What is shown of a call, and looked at to find the nearest.
constexpr std::size_t kShownMax = 500;
constexpr std::size_t kComparedMax = 1'000;

std::size_t alike(std::string_view a, std::string_view b) {
  auto front = static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
  a.remove_prefix(front);
  b.remove_prefix(front);
  std::size_t back = 0;
  while (back < a.size() && back < b.size() && a[a.size() - 1 - back] == b[b.size() - 1 - back]) {
    ++back;
  }
  return front + back;
}

}  // namespace

Replay::Replay(Recording recording)
    : recording_(std::move(recording)), used_(recording_.calls.size()) {
  for (std::size_t i = 0; i < recording_.calls.size(); ++i) {
    const RecordedCall& call = recording_.calls[i];
    const RecordedFunction& function = recording_.functions[call.function];
    Track& track = tracks_[key_of({call.app, call.component, function.interface, function.name})];
    // Of signatures that changed within a recording the newest holds. Who served it does not count.
    if (recording_.functions[track.function].signature != function.signature) {
      track.by_arguments.clear();
    }
    track.function = call.function;
    if (!call.bodies) continue;
    track.by_arguments[std::string(as_text(call.bodies->arguments))].calls.push_back(i);
  }
}

std::string Replay::key_of(const ImportName& import) {
  std::string_view path = import.interface.substr(0, import.interface.find('@'));
  return fmt::format("{}\n{}\n{}\n{}", import.app, import.component, path, import.name);
}

const RecordedFunction* Replay::find(const ImportName& import) const {
  auto track = tracks_.find(key_of(import));
  return track == tracks_.end() ? nullptr : &recording_.functions[track->second.function];
}

void Replay::serve(const ImportName& import) {
  std::lock_guard hold(mutex_);
  if (auto track = tracks_.find(key_of(import)); track != tracks_.end()) {
    track->second.served = true;
  }
}

Result<const RecordedCall*> Replay::answer(const ImportName& import, const Signature& signature,
                                           BytesView arguments) {
  std::lock_guard hold(mutex_);
  auto track = tracks_.find(key_of(import));
  if (track != tracks_.end()) {
    auto series = track->second.by_arguments.find(as_text(arguments));
    if (series != track->second.by_arguments.end()) {
      Series& calls = series->second;
      std::size_t number = calls.calls[std::min(calls.next, calls.calls.size() - 1)];
      ++calls.next;
      ++answered_;
      used_[number] = true;
      return &recording_.calls[number];
    }
  }
  ++missing_;
  auto text = arguments_to_text(signature, arguments);
  std::string shown = text ? cut_text(*text, kShownMax) : "(...)";
  std::string wanted = fmt::format("{}/{}: {}#{}{}", import.app, import.component, import.interface,
                                   import.name, shown);
  wanted += track == tracks_.end() ? "\n  nothing is recorded of this function"
                                   : nearest(track->second, shown);
  if (wanted_.size() < kMissingShown || wanted_.contains(wanted)) ++wanted_[wanted];
  return failure(Errc::kNotFound, fmt::format("the recording has no such call: {}", wanted));
}

// A line with the recorded call that is most like the wanted one.
std::string Replay::nearest(const Track& track, std::string_view wanted) const {
  const RecordedCall* best = nullptr;
  std::size_t most = 0;
  std::size_t looked = 0;
  for (const auto& [arguments, series] : track.by_arguments) {
    if (++looked > kComparedMax) break;
    const RecordedCall& call = recording_.calls[series.calls.front()];
    std::size_t same = alike(std::string_view(call.arguments_text).substr(0, kShownMax), wanted);
    if (best != nullptr && same <= most) continue;
    best = &call;
    most = same;
  }
  if (best == nullptr) return "\n  none of the recorded calls of this function can be replayed";
  return fmt::format(
      "\n  nearest that is recorded: {}",
      recording_.functions[best->function].call_text(cut_text(best->arguments_text, kShownMax)));
}

Replay::Report Replay::report() const {
  std::lock_guard hold(mutex_);
  Report report{.answered = answered_, .missing = missing_};
  for (const auto& [key, track] : tracks_) {
    if (!track.served) {
      bool of_component = recording_.functions[track.function].by.starts_with("component ");
      if (of_component) continue;
      for (const auto& [arguments, series] : track.by_arguments) {
        report.elsewhere += series.calls.size();
      }
      continue;
    }
    for (const auto& [arguments, series] : track.by_arguments) {
      for (std::size_t number : series.calls) {
        const RecordedCall& call = recording_.calls[number];
        if (used_[number]) {
          ++report.used;
          continue;
        }
        report.unused.push_back(fmt::format("{}/{}: {}", call.app, call.component,
                                            recording_.functions[call.function].call_text(
                                                cut_text(call.arguments_text, kShownMax))));
      }
    }
  }
  for (const auto& [text, times] : wanted_) report.wanted.push_back(text);
  return report;
}

}  // namespace weft
