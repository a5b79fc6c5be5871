#include "remote/said.h"

#include <cstddef>
#include <cstdint>

namespace weft::remote {
namespace {

std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return at < text.size() ? static_cast<std::uint8_t>(text[at]) : 0;
}

// Bytes of the character that is there; 0 where there is none of UTF-8.
std::size_t character_at(std::string_view text, std::size_t at) {
  std::uint8_t lead = byte_at(text, at);
  if (lead < 0x80) return 1;
  std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte_at(text, at + i) & 0xc0U) != 0x80) return 0;
  }
  std::uint8_t second = byte_at(text, at + 1);
  bool too_long = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  bool none = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
  return too_long || none ? 0 : size;
}

}  // namespace

std::string said(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (out.size() >= kSaidBytesMax) return out + "...";
    std::size_t size = character_at(text, at);
    std::uint8_t byte = byte_at(text, at);
    if (size == 0) {
      out += '?';
    } else if (size == 1 && (byte <= ' ' || byte == 0x7f)) {
      if (!out.empty() && !out.ends_with(' ')) out += ' ';
    } else {
      out += text.substr(at, size);
    }
    at += size == 0 ? 1 : size;
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

}  // namespace weft::remote
