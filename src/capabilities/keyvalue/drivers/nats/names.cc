#include "capabilities/keyvalue/drivers/nats/names.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/sha256.h"

namespace weft::keyvalue::nats {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEF";
constexpr std::size_t kHashDigits = 40;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

void append_escaped(std::string& out, char mark, char c) {
  auto byte = static_cast<unsigned char>(c);
  out.push_back(mark);
  out.push_back(kDigits[byte >> 4]);
  out.push_back(kDigits[byte & 15]);
}

std::string escaped_name(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (is_letter_or_digit(c) || c == '-') {
      out.push_back(c);
    } else {
      append_escaped(out, '_', c);
    }
  }
  return out;
}

}  // namespace

std::string bucket_name(std::string_view prefix, BucketName name) {
  std::string all = std::string(prefix) + "__" + escaped_name(name.owner) + "__";
  all += escaped_name(name.name);
  if (all.size() <= kBucketBytesMax) return all;
  // No escape ends with it: H is no digit of one.
  std::string hash = sha256_hex(as_bytes(all)).substr(0, kHashDigits);
  return all.substr(0, kBucketBytesMax - kHashDigits - 2) + "_H" + hash;
}

std::string escape_key(std::string_view key) {
  if (key.empty()) return "=";
  std::string out;
  for (std::size_t i = 0; i < key.size(); ++i) {
    char c = key[i];
    // A dot is between two tokens that are not empty.
    bool dot = c == '.' && i > 0 && i + 1 < key.size() && key[i - 1] != '.';
    if (dot || is_letter_or_digit(c) || c == '-' || c == '_' || c == '/') {
      out.push_back(c);
    } else {
      append_escaped(out, '=', c);
    }
  }
  return out;
}

std::optional<std::string> unescape_key(std::string_view text) {
  if (text == "=") return "";
  std::string key;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      key.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    std::size_t high = kDigits.find(text[i + 1]);
    std::size_t low = kDigits.find(text[i + 2]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    key.push_back(static_cast<char>(high << 4 | low));
    i += 2;
  }
  if (key.size() > kKeyBytesMax || escape_key(key) != text) return std::nullopt;
  return key;
}

}  // namespace weft::keyvalue::nats
