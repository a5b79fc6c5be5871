#include "capabilities/messaging/pair_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace weft::messaging {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 0x7f && c != '%' && c != '=') {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    unsigned byte = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const char* digits = text.data() + i + 1;
    auto [stop, error] = std::from_chars(digits, digits + 2, byte, 16);
    if (error != std::errc() || stop != digits + 2) return std::nullopt;
    out.push_back(static_cast<char>(byte));
    i += 2;
  }
  return out;
}

}  // namespace

std::string pair_text(std::string_view key, std::string_view value) {
  return escaped(key) + "=" + escaped(value);
}

std::optional<std::pair<std::string, std::string>> read_pair(std::string_view text) {
  std::size_t equal = text.find('=');
  if (equal == std::string_view::npos) return std::nullopt;
  auto key = unescaped(text.substr(0, equal));
  auto value = unescaped(text.substr(equal + 1));
  if (!key || !value) return std::nullopt;
  return std::pair(*std::move(key), *std::move(value));
}

bool is_plain_text(std::string_view text) {
  bool control = std::ranges::any_of(text, [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte < ' ' || byte == 0x7f;
  });
  if (control) return false;
  // The second range of control characters, and what Unicode says is no character: servers are
  // strict about them.
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    auto first = static_cast<unsigned char>(text[i]);
    auto second = static_cast<unsigned char>(text[i + 1]);
    if (first == 0xc2 && second < 0xa0) return false;
    if (first == 0xef && (second == 0xb7 || second == 0xbf)) return false;
    // The last two of each plane beyond the first.
    if (first < 0xf0 || (second & 0x0f) != 0x0f || i + 3 >= text.size()) continue;
    auto third = static_cast<unsigned char>(text[i + 2]);
    auto fourth = static_cast<unsigned char>(text[i + 3]);
    if (third == 0xbf && fourth >= 0xbe) return false;
  }
  return true;
}

}  // namespace weft::messaging
