#include "base/log.h"

#include <fmt/format.h>
#include <time.h>

#include <array>
#include <cctype>

#include "base/console.h"
#include "base/shown_text.h"

namespace weft {
namespace {

constexpr std::string_view kCut = " [cut]";

bool plain(std::string_view text) {
  if (text.empty()) return false;
  for (unsigned char c : text) {
    if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=') return false;
  }
  return true;
}

// Quotes are escaped only where the text stands between quotes.
void append_escaped(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char c = text[i];
    switch (c) {
      case '"': out += "\\\""; continue;
      case '\\': out += "\\\\"; continue;
      case '\n': out += "\\n"; continue;
      case '\r': out += "\\r"; continue;
      case '\t': out += "\\t"; continue;
      default: break;
    }
    if (std::size_t length = shown_length(text.substr(i)); length > 0) {
      out.append(text.substr(i, length));
      i += length - 1;
    } else {
      out += "\\x";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    }
  }
}

bool names_secret(std::string_view key) {
  static constexpr std::array<std::string_view, 8> kSecretWords = {
      "password", "passwd", "secret", "token", "authorization", "cookie", "api-key", "private-key"};
  std::string lower(key);
  for (char& c : lower) {
    c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  for (std::string_view word : kSecretWords) {
    if (lower.find(word) != std::string::npos) return true;
  }
  return false;
}

std::string_view time_text(std::array<char, 40>& room) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  std::size_t length = strftime(room.data(), room.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  char* end = fmt::format_to_n(room.data() + length, room.size() - length, ".{:03}Z",
                               now.tv_nsec / 1'000'000)
                  .out;
  return {room.data(), static_cast<std::size_t>(end - room.data())};
}

}  // namespace

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarn: return "warn";
    case LogLevel::kError: return "error";
    case LogLevel::kOff: return "off";
  }
  return "unknown";
}

void LogField::append_to(std::string& out) const {
  out += ' ';
  out += key_;
  out += '=';
  if (names_secret(key_)) {
    out += "[hidden]";
    return;
  }
  switch (kind_) {
    case Kind::kSigned: fmt::format_to(std::back_inserter(out), "{}", number_); return;
    case Kind::kUnsigned:
      fmt::format_to(std::back_inserter(out), "{}", static_cast<std::uint64_t>(number_));
      return;
    case Kind::kReal: fmt::format_to(std::back_inserter(out), "{:.6g}", real_); return;
    case Kind::kText: break;
  }
  // Escaping at most quadruples, so text beyond the record's bound cannot show.
  std::string_view text = text_.substr(0, kLogRecordMax);
  if (plain(text)) {
    out += text;
    return;
  }
  out += '"';
  append_escaped(out, text);
  out += '"';
}

std::string format_record(std::string_view time, LogLevel level, std::string_view part,
                          std::string_view message, std::span<const LogField> fields) {
  std::string out;
  out.reserve(128);
  fmt::format_to(std::back_inserter(out), "{} {:<5} {}: ", time, to_string(level), part);
  append_escaped(out, message.substr(0, kLogRecordMax));
  for (const LogField& field : fields) field.append_to(out);
  if (out.size() >= kLogRecordMax) {
    out.resize(kLogRecordMax - kCut.size() - 1);
    // Half a character at the cut would break the reader of the line.
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0) == 0x80) out.pop_back();
    if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xc0) out.pop_back();
    out += kCut;
  }
  out += '\n';
  return out;
}

namespace log {

std::atomic<LogLevel> level_now{LogLevel::kInfo};

void set_level(LogLevel level) {
  level_now.store(level, std::memory_order_relaxed);
}

std::string record_now(LogLevel level, std::string_view part, std::string_view message,
                       LogFields fields) {
  std::array<char, 40> room;
  return format_record(time_text(room), level, part, message,
                       std::span<const LogField>(fields.begin(), fields.size()));
}

void write(LogLevel level, std::string_view part, std::string_view message, LogFields fields) {
  write_to_stderr(record_now(level, part, message, fields));
}

}  // namespace log

}  // namespace weft
