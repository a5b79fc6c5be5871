#include "base/shown_text.h"

#include <fmt/format.h>

#include <cstdint>

namespace weft {
namespace {

// A character of UTF-8; `bytes` is 0 where there is none.
struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;
};

Character character_of(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.empty()) return {};
  if (byte(0) < 0x80) return {byte(0), 1};
  std::size_t bytes = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < bytes) return {};
  std::uint32_t code = byte(0) & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  static constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  bool whole = code >= kLeast[bytes] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return whole ? Character{code, bytes} : Character{};
}

bool is_shown(std::uint32_t code) {
  bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  // What says in which direction text is read, and what ends a line or a paragraph.
  bool turns = code == 0x61c || code == 0x200e || code == 0x200f ||
               (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  return !control && !turns;
}

// `write(out, rest)` writes what may not be shown, and returns how many bytes that was.
template <class Write>
std::string shown(std::string_view text, Write write) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    std::string_view rest = text.substr(i);
    std::size_t length = shown_length(rest);
    out += rest.substr(0, length);
    i += length > 0 ? length : write(out, rest);
  }
  return out;
}

std::size_t write_hex(std::string& out, std::string_view rest) {
  fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(rest[0]));
  return 1;
}

}  // namespace

std::size_t shown_length(std::string_view text) {
  Character first = character_of(text);
  return first.bytes > 0 && is_shown(first.code) ? first.bytes : 0;
}

std::string without_controls(std::string_view text) {
  return shown(text, [](std::string& out, std::string_view rest) -> std::size_t {
    if (rest[0] != '\n' && rest[0] != '\t') return write_hex(out, rest);
    out += rest[0];
    return 1;
  });
}

std::string on_one_line(std::string_view text) {
  return shown(text, [](std::string& out, std::string_view rest) -> std::size_t {
    switch (rest[0]) {
      case '\n': out += "\\n"; return 1;
      case '\r': out += "\\r"; return 1;
      case '\t': out += "\\t"; return 1;
      default: return write_hex(out, rest);
    }
  });
}

std::string json_without_controls(std::string_view json) {
  return shown(json, [](std::string& out, std::string_view rest) -> std::size_t {
    Character first = character_of(rest);
    // Between values there is white space; in a string there is none of these.
    bool space = rest[0] == '\n' || rest[0] == '\r' || rest[0] == '\t';
    if (first.bytes == 0 || space) {
      out += rest[0];
      return 1;
    }
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", first.code);
    return first.bytes;
  });
}

}  // namespace weft
