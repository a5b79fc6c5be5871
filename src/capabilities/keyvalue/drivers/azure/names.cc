#include "capabilities/keyvalue/drivers/azure/names.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/sha256.h"

namespace weft::keyvalue::azure {
namespace {

constexpr char kLow = '!';
constexpr char kHigh = '~';
// A backslash, which servers take for a slash, is spelled behind the character before it in order,
// which is spelled as well.
constexpr char kBracket = '[';
constexpr std::string_view kBracketSpelled = "[0";
constexpr char kBackslash = '\\';
constexpr std::string_view kBackslashSpelled = "[1";
constexpr char kBeforeHash = '+';
// Of one of the two parts of a bucket's prefix; longer ones end with a hash.
constexpr std::size_t kPartMax = 100;
constexpr std::size_t kHashDigits = 64;

std::optional<unsigned> digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

std::string spell(std::string_view key) {
  if (key.empty()) return std::string(1, kLow);
  std::string out;
  for (unsigned char c : key) {
    if (c < '0') {
      out += fmt::format("{}{:02X}", kLow, c);
    } else if (c >= static_cast<unsigned char>(kHigh)) {
      out += fmt::format("{}{:02X}", kHigh, c);
    } else if (c == kBracket) {
      out += kBracketSpelled;
    } else if (c == kBackslash) {
      out += kBackslashSpelled;
    } else {
      out += static_cast<char>(c);
    }
  }
  return out;
}

std::string part_of_prefix(std::string_view text) {
  std::string out;
  for (unsigned char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '_';
    out += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  if (out.size() > kPartMax) {
    out = out.substr(0, kPartMax - kHashDigits - 1) + "~" + sha256_hex(as_bytes(text));
  }
  // An empty segment is nothing that every store takes.
  return out.empty() ? "%" : out;
}

}  // namespace

std::string bucket_prefix(std::string_view prefix, std::string_view owner, std::string_view name) {
  return fmt::format("{}/{}/{}/", prefix, part_of_prefix(owner), part_of_prefix(name));
}

Spelled spelled(std::string_view key) {
  std::string text = spell(key);
  if (text.size() <= kSpelledMax) return {std::move(text)};
  text.resize(kSpelledMax);
  return {text + kBeforeHash + sha256_hex(as_bytes(key)), true};
}

std::optional<std::string> unspelled(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size() && text.size() > 1; ++i) {
    if (text[i] == kBracket) {
      if (i + 1 >= text.size()) return std::nullopt;
      out += text[++i] == kBackslashSpelled[1] ? kBackslash : kBracket;
      continue;
    }
    if (text[i] != kLow && text[i] != kHigh) {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    auto high = digit(text[i + 1]);
    auto low = digit(text[i + 2]);
    if (!high || !low) return std::nullopt;
    out += static_cast<char>(*high << 4 | *low);
    i += 2;
  }
  if (text.size() == 1 && text[0] != kLow) out = text;
  // Somebody else's spelling would be listed as a key that leads elsewhere.
  if (text.size() > kSpelledMax || spell(out) != text) return std::nullopt;
  return out;
}

}  // namespace weft::keyvalue::azure
