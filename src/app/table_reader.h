#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "app/problems.h"
#include "app/toml.h"
#include "base/error.h"

namespace weft {

// Lengths of time are at most this, so that sums with the clock stay far from its end.
inline constexpr std::chrono::hours kDurationMax{365 * 24};

// "64MiB" and "200ms" within bounds, in a file or on the command line; the error says what to
// write.
Result<std::uint64_t> read_size(std::string_view text, std::uint64_t least, std::uint64_t most);
Result<std::chrono::nanoseconds> read_duration(std::string_view text,
                                               std::chrono::nanoseconds least = {},
                                               std::chrono::nanoseconds most = kDurationMax);
// As people write them: "64MiB", "200ms"; "none" is no time at all.
std::string size_text(std::uint64_t bytes);
std::string duration_text(std::chrono::nanoseconds time);

// A key as it stands in a file: bare, or in quotes where it must be.
std::string key_text(std::string_view key);

// A piece of text and where it was written.
struct Placed {
  std::string text = {};
  Place place = {};
};

// Reads a table's values by key. A value of another type than asked for is told and counts as
// absent; `finish` tells of the keys that nobody asked for.
//
// Borrows table and problems.
class TableReader {
 public:
  // `where` is how people write the table: "[component.cart]"; empty for the file itself.
  TableReader(const TomlValue& table, std::string where, Problems& problems)
      : table_(table), where_(std::move(where)), problems_(problems) {}

  const TomlValue& table() const { return table_; }
  const std::string& where() const { return where_; }
  // Whether somebody has asked for it.
  bool knows(std::string_view key) const { return known_.contains(key); }

  // The entry, whatever its type. The key is known from now on.
  const TomlEntry* take(std::string_view key);
  const TomlEntry* take_table(std::string_view key);
  std::optional<Placed> text(std::string_view key);
  // Absent, empty or a list of strings; `of`, for messages: ["a", "b"].
  std::optional<std::vector<Placed>> texts(std::string_view key, std::string_view example);
  std::optional<bool> flag(std::string_view key);
  std::optional<std::uint64_t> whole(std::string_view key, std::uint64_t least, std::uint64_t most);
  // "64MiB", or a number of bytes.
  std::optional<std::uint64_t> size(std::string_view key, std::uint64_t least, std::uint64_t most);
  // "200ms"; "0s" where nothing is a length too.
  std::optional<std::chrono::nanoseconds> duration(std::string_view key,
                                                   std::chrono::nanoseconds least = {},
                                                   std::chrono::nanoseconds most = kDurationMax);
  // A key that may not be there, though it is no slip: told with what to do, and never suggested.
  void refuse(std::string_view key, std::string_view found, std::string_view write);
  // A required key is missing: told at the table.
  void missing(std::string_view key, std::string_view write);
  // "component.cart.source" in messages.
  std::string name_of(std::string_view key) const;

  void finish();

 private:
  void wrong(const TomlValue& value, std::string_view key, std::string write);

  const TomlValue& table_;
  std::string where_;
  Problems& problems_;
  std::set<std::string, std::less<>> known_;
  std::set<std::string, std::less<>> refused_;
};

// A value for messages: in quotes, or what it is where it may not be shown.
std::string show(const TomlValue& value);
// " Did you mean ...": the nearest of the known names, or a list of all when they are few.
std::string suggest(std::string_view word, const std::vector<std::string_view>& known);
// Checks a list of strings.
std::vector<Placed> read_texts(const TomlValue& value, std::string_view what,
                               std::string_view example, Problems& problems);

}  // namespace weft
