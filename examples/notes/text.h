// What the notes need of JSON: texts and objects, written.
#pragma once

#include <string>
#include <string_view>

namespace notes {

inline std::string quoted(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

// An object or a list in the making.
class Json {
 public:
  explicit Json(char open) : text_(1, open), close_(open == '{' ? '}' : ']') {}

  Json& add(std::string_view value) {
    if (text_.size() > 1) text_ += ", ";
    text_ += value;
    return *this;
  }
  Json& add(std::string_view key, std::string_view value) {
    return add(quoted(key) + ": " + std::string(value));
  }
  std::string text() const { return text_ + close_; }

 private:
  std::string text_;
  char close_;
};

// Bytes that are no UTF-8 would be none of JSON either.
inline bool is_text(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    auto first = static_cast<unsigned char>(bytes[i]);
    std::size_t length = first < 0x80       ? 1
                         : first >> 5 == 6  ? 2
                         : first >> 4 == 14 ? 3
                         : first >> 3 == 30 ? 4
                                            : 0;
    if (length == 0 || i + length > bytes.size()) return false;
    for (std::size_t j = 1; j < length; ++j) {
      if ((static_cast<unsigned char>(bytes[i + j]) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

}  // namespace notes
