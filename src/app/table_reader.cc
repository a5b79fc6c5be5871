#include "app/table_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/limits.h"
#include "base/nearest.h"

namespace weft {

std::string show(const TomlValue& value) {
  switch (value.kind) {
    case TomlValue::Kind::kText: return fmt::format("\"{}\"", value.shown);
    case TomlValue::Kind::kInteger: return fmt::format("{}", value.integer);
    default: return std::string(value.kind_name());
  }
}

std::string suggest(std::string_view word, const std::vector<std::string_view>& known) {
  constexpr std::size_t kListedMax = 8;
  if (auto near = nearest(word, known)) return fmt::format("did you mean {}?", *near);
  if (known.empty()) return "leave it out";
  if (known.size() > kListedMax) return "leave it out";
  return fmt::format("what is known here: {}", fmt::join(known, ", "));
}

std::vector<Placed> read_texts(const TomlValue& value, std::string_view what,
                               std::string_view example, Problems& problems) {
  std::vector<Placed> texts;
  if (value.kind != TomlValue::Kind::kList) {
    problems.error(value.place, fmt::format("{} is {}", what, value.kind_name()),
                   fmt::format("write a list of strings, like {}", example));
    return texts;
  }
  for (const TomlValue& each : value.list) {
    if (each.kind != TomlValue::Kind::kText) {
      problems.error(each.place, fmt::format("{} has {} in it", what, each.kind_name()),
                     fmt::format("write a list of strings, like {}", example));
      continue;
    }
    texts.push_back({each.text, each.place});
  }
  return texts;
}

const TomlEntry* TableReader::take(std::string_view key) {
  known_.emplace(key);
  return table_.find(key);
}

std::string TableReader::name_of(std::string_view key) const {
  if (where_.empty()) return std::string(key);
  std::string_view table = where_;
  while (table.starts_with('[')) table.remove_prefix(1);
  while (table.ends_with(']')) table.remove_suffix(1);
  return fmt::format("{}.{}", table, key);
}

void TableReader::wrong(const TomlValue& value, std::string_view key, std::string write) {
  problems_.error(value.place, fmt::format("{} is {}", name_of(key), show(value)),
                  std::move(write));
}

const TomlEntry* TableReader::take_table(std::string_view key) {
  const TomlEntry* entry = take(key);
  if (entry == nullptr || entry->value.kind == TomlValue::Kind::kTable) return entry;
  wrong(entry->value, key, fmt::format("write a table: [{}]", name_of(key)));
  return nullptr;
}

std::optional<Placed> TableReader::text(std::string_view key) {
  const TomlEntry* entry = take(key);
  if (entry == nullptr) return std::nullopt;
  if (entry->value.kind != TomlValue::Kind::kText) {
    wrong(entry->value, key, "write a string in quotes");
    return std::nullopt;
  }
  return Placed{entry->value.text, entry->value.place};
}

std::optional<std::vector<Placed>> TableReader::texts(std::string_view key,
                                                      std::string_view example) {
  const TomlEntry* entry = take(key);
  if (entry == nullptr) return std::nullopt;
  return read_texts(entry->value, name_of(key), example, problems_);
}

std::optional<bool> TableReader::flag(std::string_view key) {
  const TomlEntry* entry = take(key);
  if (entry == nullptr) return std::nullopt;
  if (entry->value.kind != TomlValue::Kind::kFlag) {
    wrong(entry->value, key, "write true or false, without quotes");
    return std::nullopt;
  }
  return entry->value.flag;
}

std::optional<std::uint64_t> TableReader::whole(std::string_view key, std::uint64_t least,
                                                std::uint64_t most) {
  const TomlEntry* entry = take(key);
  if (entry == nullptr) return std::nullopt;
  std::int64_t number = entry->value.integer;
  bool fits = entry->value.kind == TomlValue::Kind::kInteger && number >= 0 &&
              static_cast<std::uint64_t>(number) >= least &&
              static_cast<std::uint64_t>(number) <= most;
  if (fits) return static_cast<std::uint64_t>(number);
  wrong(entry->value, key, fmt::format("write a number from {} to {}", least, most));
  return std::nullopt;
}

std::optional<std::uint64_t> TableReader::size(std::string_view key, std::uint64_t least,
                                               std::uint64_t most) {
  const TomlEntry* entry = take(key);
  if (entry == nullptr) return std::nullopt;
  const TomlValue& value = entry->value;
  std::optional<std::uint64_t> bytes;
  if (value.kind == TomlValue::Kind::kText) {
    if (auto parsed = parse_size(value.text)) bytes = *parsed;
  } else if (value.kind == TomlValue::Kind::kInteger && value.integer >= 0) {
    bytes = static_cast<std::uint64_t>(value.integer);
  }
  if (!bytes) {
    wrong(value, key, "write a size, like \"64MiB\"");
  } else if (*bytes < least || *bytes > most) {
    wrong(value, key, fmt::format("write a size of {} to {} bytes", least, most));
    return std::nullopt;
  }
  return bytes;
}

std::optional<std::chrono::nanoseconds> TableReader::duration(std::string_view key) {
  const TomlEntry* entry = take(key);
  if (entry == nullptr) return std::nullopt;
  const TomlValue& value = entry->value;
  if (value.kind == TomlValue::Kind::kText) {
    std::string text = value.text;
    // The unit that people write for minutes.
    if (text.ends_with("min")) text.resize(text.size() - 2);
    auto parsed = parse_duration_ns(text);
    constexpr std::chrono::nanoseconds kMost = kDurationMax;
    if (parsed && *parsed <= static_cast<std::uint64_t>(kMost.count())) {
      return std::chrono::nanoseconds(*parsed);
    }
    if (parsed) {
      wrong(value, key, "write at most a year; \"0s\" is no limit");
      return std::nullopt;
    }
  }
  wrong(value, key, "write a length of time with its unit, like \"200ms\", \"5s\" or \"10min\"");
  return std::nullopt;
}

void TableReader::missing(std::string_view key, std::string_view write) {
  problems_.error(table_.place,
                  where_.empty() ? fmt::format("there is no {}", key)
                                 : fmt::format("{} has no {}", where_, key),
                  fmt::format("write {}", write));
}

void TableReader::finish() {
  std::vector<std::string_view> known(known_.begin(), known_.end());
  for (const TomlEntry& entry : table_.entries) {
    if (known_.contains(entry.key)) continue;
    problems_.error(entry.place,
                    where_.empty() ? fmt::format("unknown key \"{}\"", entry.key)
                                   : fmt::format("unknown key \"{}\" in {}", entry.key, where_),
                    suggest(entry.key, known));
  }
}

}  // namespace weft
