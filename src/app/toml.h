#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/problems.h"

namespace weft {

struct TomlEntry;

// A value of a TOML file, with its place.
struct TomlValue {
  enum class Kind : std::uint8_t { kText, kInteger, kReal, kFlag, kTime, kList, kTable };

  Kind kind = Kind::kTable;
  Place place = {};
  std::string text = {};  // Of kText.
  // The text as it stands in the file, for messages. Differs from `text` where something was put in
  // for it: then the value is hidden.
  std::string shown = {};
  bool hidden = false;
  std::int64_t integer = 0;
  double real = 0;
  bool flag = false;
  bool is_inline = false;          // Of kTable: { a = 1 }.
  std::vector<TomlValue> list;     // Of kList.
  std::vector<TomlEntry> entries;  // Of kTable, in the order of the file.

  // "a string", "a table": for messages.
  std::string_view kind_name() const;
  const TomlEntry* find(std::string_view key) const;
};

struct TomlEntry {
  std::string key;
  Place place;
  TomlValue value;
};

inline constexpr std::size_t kTomlBytesMax = 1 << 20;
// Dots outside of strings and comments in one file: they bound how deep tables may lie in each
// other.
inline constexpr std::size_t kTomlDotsMax = 4096;
// How deep values may lie in each other.
inline constexpr int kTomlDepthMax = 16;

// The top table of a file. Nothing when it is no TOML, which is told.
std::optional<TomlValue> parse_toml(std::string_view text, const std::string& file,
                                    Problems& problems);
// The same for a file on the disk.
std::optional<TomlValue> read_toml(const std::string& file, Problems& problems);

}  // namespace weft
