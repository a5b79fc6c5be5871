#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "capabilities/lock/store.h"

// A lock as an entry of a store that compares and swaps.
namespace weft::lock {

// How far the clocks of hosts may differ before two of them may believe that they hold a lock.
inline constexpr Milliseconds kClocksDiffer{1000};

// The last one who took the lock. It stays when the lock is free: the next token is one more.
struct Record {
  std::uint64_t token = 0;
  std::int64_t until_ms = 0;  // Of the holder's calendar.
  std::string holder = {};    // Empty: it was released.

  // "TOKEN UNTIL HOLDER".
  std::string text() const;
  static Result<Record> parse(std::string_view text);

  // Whether somebody else may take it, by that somebody's calendar.
  bool free(std::int64_t now_ms) const {
    return holder.empty() || now_ms > until_ms + kClocksDiffer.count();
  }
  // The next holder's. `first`: the token where there was no record.
  static Record next(const std::optional<Record>& last, std::uint64_t first, std::string holder,
                     std::int64_t until_ms);
};

}  // namespace weft::lock
