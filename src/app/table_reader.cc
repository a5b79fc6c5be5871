#include "app/table_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/json_text.h"
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

std::string key_text(std::string_view key) {
  bool bare = !key.empty() && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
  if (bare) return std::string(key);
  std::string quoted;
  append_json_string(quoted, key);
  return quoted;
}

std::string size_text(std::uint64_t bytes) {
  if (bytes == 0) return "0";
  if (bytes % (1 << 30) == 0) return fmt::format("{}GiB", bytes >> 30);
  if (bytes % (1 << 20) == 0) return fmt::format("{}MiB", bytes >> 20);
  if (bytes % (1 << 10) == 0) return fmt::format("{}KiB", bytes >> 10);
  return fmt::format("{}B", bytes);
}

std::string duration_text(std::chrono::nanoseconds time) {
  std::int64_t ns = time.count();
  if (ns == 0) return "none";
  if (ns % 3'600'000'000'000 == 0) return fmt::format("{}h", ns / 3'600'000'000'000);
  if (ns % 60'000'000'000 == 0) return fmt::format("{}min", ns / 60'000'000'000);
  if (ns % 1'000'000'000 == 0) return fmt::format("{}s", ns / 1'000'000'000);
  if (ns % 1'000'000 == 0) return fmt::format("{}ms", ns / 1'000'000);
  return fmt::format("{}ns", ns);
}

Result<std::uint64_t> read_size(std::string_view text, std::uint64_t least, std::uint64_t most) {
  auto bytes = parse_size(text);
  if (!bytes && bytes.error().code() != Errc::kLimit) {
    return failure(Errc::kInvalid, "write a size, like \"64MiB\"");
  }
  if (bytes && *bytes >= least && *bytes <= most) return bytes;
  return failure(Errc::kInvalid,
                 fmt::format("write a size from {} to {}", size_text(least), size_text(most)));
}

Result<std::chrono::nanoseconds> read_duration(std::string_view text,
                                               std::chrono::nanoseconds least,
                                               std::chrono::nanoseconds most) {
  std::string unit(text);
  // The unit that people write for minutes.
  if (unit.ends_with("min")) unit.resize(unit.size() - 2);
  auto ns = parse_duration_ns(unit);
  if (!ns && ns.error().code() != Errc::kLimit) {
    return failure(Errc::kInvalid,
                   "write a length of time with its unit, like \"200ms\", \"5s\" or \"10min\"");
  }
  if (!ns || *ns > static_cast<std::uint64_t>(most.count())) {
    std::string length = most == kDurationMax ? "a year" : duration_text(most);
    return failure(Errc::kInvalid, fmt::format("write at most {}{}", length,
                                               least.count() == 0 ? "; \"0s\" is no limit" : ""));
  }
  if (*ns < static_cast<std::uint64_t>(least.count())) {
    return failure(Errc::kInvalid, fmt::format("write at least {}", duration_text(least)));
  }
  return std::chrono::nanoseconds(*ns);
}

std::string suggest(std::string_view word, const std::vector<std::string_view>& known) {
  constexpr std::size_t kListedMax = 16;
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
  bool number = value.kind == TomlValue::Kind::kInteger && value.integer >= 0;
  auto bytes = read_size(number ? fmt::format("{}", value.integer) : value.text, least, most);
  if (bytes) return *bytes;
  wrong(value, key, bytes.error().message());
  return std::nullopt;
}

std::optional<std::chrono::nanoseconds> TableReader::duration(std::string_view key,
                                                              std::chrono::nanoseconds least,
                                                              std::chrono::nanoseconds most) {
  const TomlEntry* entry = take(key);
  if (entry == nullptr) return std::nullopt;
  // What is no text has an empty one, which is no length of time.
  auto time = read_duration(entry->value.text, least, most);
  if (time) return *time;
  wrong(entry->value, key, time.error().message());
  return std::nullopt;
}

void TableReader::refuse(std::string_view key, std::string_view found, std::string_view write) {
  const TomlEntry* entry = table_.find(key);
  if (entry == nullptr) return;
  refused_.emplace(key);
  problems_.error(entry->place, std::string(found), std::string(write));
}

void TableReader::missing(std::string_view key, std::string_view write) {
  problems_.error(table_.place,
                  where_.empty() ? fmt::format("there is no {}", key)
                                 : fmt::format("{} has no {}", where_, key),
                  fmt::format("write {}", write));
}

void TableReader::finish() {
  problems_.note_keys(where_, known_);
  std::vector<std::string_view> known(known_.begin(), known_.end());
  for (const TomlEntry& entry : table_.entries) {
    if (known_.contains(entry.key) || refused_.contains(entry.key)) continue;
    problems_.error(entry.place,
                    where_.empty() ? fmt::format("unknown key \"{}\"", entry.key)
                                   : fmt::format("unknown key \"{}\" in {}", entry.key, where_),
                    suggest(entry.key, known));
  }
}

}  // namespace weft
