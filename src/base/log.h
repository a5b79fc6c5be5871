#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace weft {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError, kOff };

std::string_view to_string(LogLevel level);

// One value of a record. Borrows.
class LogField {
 public:
  LogField(std::string_view key, std::string_view value) : key_(key), text_(value) {}
  LogField(std::string_view key, const char* value) : LogField(key, std::string_view(value)) {}
  LogField(std::string_view key, const std::string& value)
      : LogField(key, std::string_view(value)) {}
  LogField(std::string_view key, bool value) : LogField(key, value ? "true" : "false") {}
  template <std::signed_integral T>
  LogField(std::string_view key, T value) : key_(key), number_(value), kind_(Kind::kSigned) {}
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  LogField(std::string_view key, T value)
      : key_(key), number_(static_cast<std::int64_t>(value)), kind_(Kind::kUnsigned) {}
  LogField(std::string_view key, double value) : key_(key), real_(value), kind_(Kind::kReal) {}

  // Appends " key=value", escaped, to `out`.
  void append_to(std::string& out) const;

 private:
  enum class Kind : std::uint8_t { kText, kSigned, kUnsigned, kReal };

  std::string_view key_;
  std::string_view text_;
  std::int64_t number_ = 0;
  double real_ = 0;
  Kind kind_ = Kind::kText;
};

using LogFields = std::initializer_list<LogField>;

// A record longer than this is cut, and says so.
inline constexpr std::size_t kLogRecordMax = 16 * 1024;

// A record as it is written, with its newline: "<time> <level> <part>: <message> key=value ...".
// A value with anything but plain characters in it is quoted, control characters are escaped, and
// the value of a key that names a secret ("password", "token" ...) is not shown.
std::string format_record(std::string_view time, LogLevel level, std::string_view part,
                          std::string_view message, std::span<const LogField> fields);

// The log of the process: one line a record on stderr. The one thing that is global besides stderr
// itself; `main` sets its level, by default kInfo.
namespace log {

extern std::atomic<LogLevel> level_now;

inline bool enabled(LogLevel level) {
  return level >= level_now.load(std::memory_order_relaxed) && level != LogLevel::kOff;
}
void set_level(LogLevel level);

// A record of this moment.
std::string record_now(LogLevel level, std::string_view part, std::string_view message,
                       LogFields fields = {});

// Written whole, so that lines of several threads do not mix. Waits for nobody where main has made
// a Console (base/console.h): a stderr that takes nothing for long loses records, which are counted
// and told of. `part` says who speaks: "http", "keyvalue".
void write(LogLevel level, std::string_view part, std::string_view message, LogFields fields = {});

inline void debug(std::string_view part, std::string_view message, LogFields fields = {}) {
  if (enabled(LogLevel::kDebug)) write(LogLevel::kDebug, part, message, fields);
}
inline void info(std::string_view part, std::string_view message, LogFields fields = {}) {
  if (enabled(LogLevel::kInfo)) write(LogLevel::kInfo, part, message, fields);
}
inline void warn(std::string_view part, std::string_view message, LogFields fields = {}) {
  if (enabled(LogLevel::kWarn)) write(LogLevel::kWarn, part, message, fields);
}
inline void error(std::string_view part, std::string_view message, LogFields fields = {}) {
  if (enabled(LogLevel::kError)) write(LogLevel::kError, part, message, fields);
}

}  // namespace log

}  // namespace weft
