#include "json.h"

#include <cmath>
#include <cstdlib>
#include <optional>
#include <utility>

namespace json {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

void append_code_point(std::string& out, std::uint32_t code) {
  auto tail = [&](unsigned shift) { out += static_cast<char>(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

// The length of the character of UTF-8 at the front; 0 when there is none. Neither longer forms
// than needed nor surrogates are characters.
std::size_t character(std::string_view text) {
  auto byte = [&](std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
  };
  auto tail = [&](std::size_t at, unsigned low = 0x80, unsigned high = 0xbf) {
    return byte(at) >= low && byte(at) <= high;
  };
  unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    unsigned low = first == 0xe0 ? 0xa0 : 0x80;
    unsigned high = first == 0xed ? 0x9f : 0xbf;
    return tail(1, low, high) && tail(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    unsigned low = first == 0xf0 ? 0x90 : 0x80;
    unsigned high = first == 0xf4 ? 0x8f : 0xbf;
    return tail(1, low, high) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

// Reads from the front to the end. The first thing that is wrong is kept, and ends it.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::expected<Value, std::string> whole() {
    Value value;
    bool good = read(value, 0);
    if (good) {
      skip_space();
      if (at_ != text_.size()) good = wrong("something follows the value");
    }
    if (!good) return std::unexpected("byte " + std::to_string(at_) + ": " + problem_);
    return value;
  }

 private:
  bool wrong(const char* problem) {
    problem_ = problem;
    return false;
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (peek() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return wrong("a value was expected");
    at_ += word.size();
    return true;
  }
  void skip_space() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') ++at_;
  }

  bool read(Value& out, std::size_t depth) {
    if (depth > kDepthMax) return wrong("it is nested too deeply");
    if (++values_ > kValuesMax) return wrong("it has too many values");
    skip_space();
    switch (peek()) {
      case '{': return read_object(out, depth);
      case '[': return read_array(out, depth);
      case '"': out.kind = Kind::kText; return read_text(out.text);
      case 't':
      case 'f':
        out.kind = Kind::kFlag;
        out.flag = peek() == 't';
        return take_word(out.flag ? "true" : "false");
      case 'n': return take_word("null");
      default: return read_number(out);
    }
  }

  bool read_array(Value& out, std::size_t depth) {
    out.kind = Kind::kArray;
    ++at_;
    skip_space();
    if (take(']')) return true;
    do {
      if (!read(out.items.emplace_back(), depth + 1)) return false;
      skip_space();
    } while (take(','));
    return take(']') || wrong("a comma or ] was expected");
  }

  bool read_object(Value& out, std::size_t depth) {
    out.kind = Kind::kObject;
    ++at_;
    skip_space();
    if (take('}')) return true;
    do {
      skip_space();
      if (peek() != '"') return wrong("a name in quotes was expected");
      if (!read_text(out.names.emplace_back())) return false;
      skip_space();
      if (!take(':')) return wrong("a colon was expected");
      if (!read(out.items.emplace_back(), depth + 1)) return false;
      skip_space();
    } while (take(','));
    return take('}') || wrong("a comma or } was expected");
  }

  bool read_number(Value& out) {
    out.kind = Kind::kNumber;
    std::size_t start = at_;
    take('-');
    if (!is_digit(peek())) return wrong("a value was expected");
    if (!take('0')) skip_digits();
    if (take('.')) {
      if (!is_digit(peek())) return wrong("a digit was expected");
      skip_digits();
    }
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!is_digit(peek())) return wrong("a digit was expected");
      skip_digits();
    }
    out.number = std::strtod(std::string(text_.substr(start, at_ - start)).c_str(), nullptr);
    return std::isfinite(out.number) || wrong("the number is too large");
  }
  void skip_digits() {
    while (is_digit(peek())) ++at_;
  }

  bool read_text(std::string& out) {
    ++at_;
    for (;;) {
      if (at_ == text_.size()) return wrong("the string does not end");
      if (take('"')) return true;
      if (take('\\')) {
        if (!read_escape(out)) return false;
        continue;
      }
      if (static_cast<unsigned char>(peek()) < 0x20) return wrong("a string on several lines");
      std::size_t size = character(text_.substr(at_));
      if (size == 0) return wrong("it is not UTF-8");
      out += text_.substr(at_, size);
      at_ += size;
    }
  }

  bool read_escape(std::string& out) {
    static constexpr std::string_view kNames = "\"\\/bfnrt";
    static constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    char name = peek();
    if (std::size_t index = kNames.find(name); index != kNames.npos && at_ < text_.size()) {
      ++at_;
      out += kMeant[index];
      return true;
    }
    if (!take('u')) return wrong("no such escape");
    auto code = read_hex();
    if (code && *code >= 0xd800 && *code < 0xdc00) {
      // The first half of a character beyond 16 bits.
      if (!take('\\') || !take('u')) return wrong("half a character");
      auto low = read_hex();
      if (!low || *low < 0xdc00 || *low > 0xdfff) return wrong("half a character");
      code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
    } else if (code && *code >= 0xdc00 && *code <= 0xdfff) {
      return wrong("half a character");
    }
    if (!code) return wrong("four digits of base 16 were expected");
    append_code_point(out, *code);
    return true;
  }
  std::optional<std::uint32_t> read_hex() {
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      char c = peek();
      char small = static_cast<char>(c | 0x20);
      if (is_digit(c)) {
        code = code * 16 + static_cast<std::uint32_t>(c - '0');
      } else if (small >= 'a' && small <= 'f') {
        code = code * 16 + static_cast<std::uint32_t>(small - 'a' + 10);
      } else {
        return std::nullopt;
      }
    }
    return code;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
  const char* problem_ = "";
};

}  // namespace

const Value* Value::find(std::string_view name) const {
  for (std::size_t i = names.size(); i-- > 0;) {
    if (names[i] == name) return &items[i];
  }
  return nullptr;
}

std::expected<Value, std::string> parse(std::string_view text) {
  return Parser(text).whole();
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    std::size_t size = character(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

void append(std::string& out, std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 0xf];
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string written(std::string_view text) {
  std::string out;
  append(out, text);
  return out;
}

}  // namespace json
