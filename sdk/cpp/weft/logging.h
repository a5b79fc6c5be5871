// wasi:logging: entries of the host's log, which knows the component and the request they are of.
#pragma once

#include <string_view>

#include "weft/result.h"

#ifndef WASI_LOGGING_LOGGING_LEVEL_INFO
#error "the world does not import wasi:logging/logging@0.1.0-draft"
#endif

namespace weft::log {

enum class Level : std::uint8_t {
  kTrace = WASI_LOGGING_LOGGING_LEVEL_TRACE,
  kDebug = WASI_LOGGING_LOGGING_LEVEL_DEBUG,
  kInfo = WASI_LOGGING_LOGGING_LEVEL_INFO,
  kWarn = WASI_LOGGING_LOGGING_LEVEL_WARN,
  kError = WASI_LOGGING_LOGGING_LEVEL_ERROR,
  kCritical = WASI_LOGGING_LOGGING_LEVEL_CRITICAL,
};

// `context` is free text that groups entries.
inline void write(Level level, std::string_view context, std::string_view message) {
  auto where = detail::lend(context);
  auto text = detail::lend(message);
  wasi_logging_logging_log(static_cast<wasi_logging_logging_level_t>(level), &where, &text);
}

inline void debug(std::string_view message) {
  write(Level::kDebug, "", message);
}
inline void info(std::string_view message) {
  write(Level::kInfo, "", message);
}
inline void warn(std::string_view message) {
  write(Level::kWarn, "", message);
}
inline void error(std::string_view message) {
  write(Level::kError, "", message);
}

}  // namespace weft::log
