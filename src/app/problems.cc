#include "app/problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/json_text.h"
#include "base/shown_text.h"

namespace weft {
namespace {

// Of what was found, on a line for a person.
constexpr std::size_t kFoundBytesMax = 4'000;
// Its end says more than its middle.
constexpr std::size_t kFoundEndBytes = 1'000;

// What was found may have come from anywhere: it is one line, of bounded length.
std::string shown_of(std::string_view found) {
  if (found.size() <= kFoundBytesMax) return on_one_line(found);
  return fmt::format("{}[...]{}", on_one_line(found.substr(0, kFoundBytesMax - kFoundEndBytes)),
                     on_one_line(found.substr(found.size() - kFoundEndBytes)));
}

}  // namespace

std::string Place::text() const {
  if (line == 0) return file;
  return fmt::format("{}:{}:{}", file, line, column);
}

std::string Problem::text() const {
  std::string line = on_one_line(place.text());
  line += weight == Weight::kWarning ? ": warning: " : ": ";
  line += shown_of(found);
  if (!write.empty()) line += ": " + shown_of(write);
  return line;
}

void Problems::error(Place place, std::string found, std::string write) {
  ++errors_;
  add({Problem::Weight::kError, std::move(place), std::move(found), std::move(write)});
}

void Problems::warn(Place place, std::string found, std::string write) {
  ++warnings_;
  add({Problem::Weight::kWarning, std::move(place), std::move(found), std::move(write)});
}

void Problems::add(Problem problem) {
  if (all_.size() < kProblemsMax) all_.push_back(std::move(problem));
}

std::vector<Problem> Problems::sorted() const {
  std::vector<std::string_view> files;
  for (const Problem& each : all_) {
    if (std::ranges::find(files, each.place.file) == files.end()) files.push_back(each.place.file);
  }
  std::vector<std::size_t> order(all_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](std::size_t i) {
    const Place& place = all_[i].place;
    auto file = std::ranges::find(files, place.file) - files.begin();
    return std::tuple(file, place.line, place.column, i);
  });
  std::vector<Problem> sorted;
  for (std::size_t i : order) sorted.push_back(all_[i]);
  return sorted;
}

std::string Problems::text() const {
  std::string text;
  for (const Problem& each : sorted()) text += each.text() + "\n";
  std::size_t told = all_.size();
  if (errors_ + warnings_ > told) text += fmt::format("and {} more\n", errors_ + warnings_ - told);
  return text;
}

void Problems::note_keys(const std::string& table, const Keys::mapped_type& keys) {
  keys_[table].insert(keys.begin(), keys.end());
}

std::string Problems::summary() const {
  return fmt::format("{} {}, {} {}", errors_, errors_ == 1 ? "error" : "errors", warnings_,
                     warnings_ == 1 ? "warning" : "warnings");
}

std::string Problems::json() const {
  std::string out = "{\"problems\": [";
  const char* between = "";
  for (const Problem& each : sorted()) {
    out += between;
    between = ", ";
    out += each.weight == Problem::Weight::kError ? "{\"severity\": \"error\", \"file\": "
                                                  : "{\"severity\": \"warning\", \"file\": ";
    append_json_string(out, each.place.file);
    out += fmt::format(", \"line\": {}, \"column\": {}, \"found\": ", each.place.line,
                       each.place.column);
    append_json_string(out, each.found);
    out += ", \"write\": ";
    append_json_string(out, each.write);
    out += '}';
  }
  out += fmt::format("], \"errors\": {}, \"warnings\": {}}}", errors_, warnings_);
  return out;
}

}  // namespace weft
