#include "capabilities/sensor/entries.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace weft::sensor {
namespace {

constexpr std::string_view kBlank = " \t\r";

std::string_view trimmed(std::string_view text) {
  std::size_t first = text.find_first_not_of(kBlank);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

Result<Entry> read_entry(std::string_view text, std::initializer_list<std::string_view> keys) {
  std::size_t colon = text.find(':');
  Entry entry{.name = std::string(trimmed(text.substr(0, colon))), .words = {}};
  if (colon == text.npos || !check_name("space/" + entry.name) || entry.name.contains('*')) {
    return failure(Errc::kInvalid,
                   fmt::format("sensors: \"{}\" is no NAME: KEY=VALUE ...", trimmed(text)));
  }
  for (std::string_view rest = trimmed(text.substr(colon + 1)); !rest.empty();) {
    std::string_view word = rest.substr(0, rest.find_first_of(kBlank));
    rest = trimmed(rest.substr(word.size()));
    std::string_view key = word.substr(0, word.find('='));
    if (key.size() == word.size() || std::ranges::find(keys, key) == keys.end()) {
      return failure(Errc::kInvalid, fmt::format("sensors: {}: \"{}\" is none of {}=VALUE",
                                                 entry.name, word, fmt::join(keys, "=VALUE, ")));
    }
    entry.words.emplace_back(key, word.substr(key.size() + 1));
  }
  const std::string* unit = entry.find("unit");
  if (unit != nullptr && unit->size() > kUnitBytesMax) {
    return failure(Errc::kInvalid, fmt::format("sensors: {}: a unit has {} bytes at most",
                                               entry.name, kUnitBytesMax));
  }
  return entry;
}

}  // namespace

const std::string* Entry::find(std::string_view key) const {
  for (const auto& [word, value] : words) {
    if (word == key) return &value;
  }
  return nullptr;
}

Result<double> Entry::number(std::string_view key, double otherwise) const {
  const std::string* text = find(key);
  if (text == nullptr) return otherwise;
  double value = 0;
  auto [end, wrong] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (wrong == std::errc() && end == text->data() + text->size() && std::isfinite(value)) {
    return value;
  }
  return failure(Errc::kInvalid, fmt::format("sensors: {}: {}={} is no number", name, key, *text));
}

Result<std::vector<Entry>> read_entries(std::string_view text,
                                        std::initializer_list<std::string_view> keys) {
  std::vector<Entry> entries;
  for (std::size_t at = 0; at <= text.size();) {
    std::size_t end = std::min(text.find_first_of(";\n", at), text.size());
    std::string_view one = trimmed(text.substr(at, end - at));
    at = end + 1;
    if (one.empty()) continue;
    TRY(Entry entry, read_entry(one, keys));
    if (std::ranges::find(entries, entry.name, &Entry::name) != entries.end()) {
      return failure(Errc::kInvalid, fmt::format("sensors: {} is there twice", entry.name));
    }
    entries.push_back(std::move(entry));
  }
  if (!entries.empty() && entries.size() <= kSensorsMax) return entries;
  return failure(Errc::kInvalid, fmt::format("sensors: {} of them, and 1 to {} may be",
                                             entries.size(), kSensorsMax));
}

}  // namespace weft::sensor
