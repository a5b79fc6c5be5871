#include "values/source.h"

#include <fmt/format.h>

#include <algorithm>

#include "door/codec.h"

namespace weft {
namespace {

// What is shown of a line on either side of a place, and of what was found there.
constexpr std::size_t kAroundMax = 60;
constexpr std::size_t kFoundMax = 24;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '_';
}
// The middle of a character.
bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}
bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return !continues(c); }));
}

}  // namespace

Source::Source(std::string_view text, std::size_t from) : text_(text), at_(from) {
  if (is_utf8(text)) return;
  at_ = text_.size();
  error_ = Error(Errc::kInvalid, "the text is not UTF-8");
}

bool Source::skip(std::string_view token) {
  if (!rest().starts_with(token)) return false;
  at_ += token.size();
  return true;
}

std::string_view Source::peek_word() const {
  std::string_view left = rest();
  auto end = std::ranges::find_if_not(left, is_word);
  return left.substr(0, static_cast<std::size_t>(end - left.begin()));
}

std::string_view Source::number() {
  std::string_view left = rest();
  std::size_t size = left.starts_with('-') ? 1 : 0;
  auto digit = [&](std::size_t i) { return i < left.size() && is_digit(left[i]); };
  auto digits = [&] {
    while (digit(size)) ++size;
  };
  if (!digit(size)) return {};
  if (left[size] == '0') {
    ++size;
  } else {
    digits();
  }
  if (size < left.size() && left[size] == '.' && digit(size + 1)) {
    ++size;
    digits();
  }
  if (size < left.size() && (left[size] == 'e' || left[size] == 'E')) {
    std::size_t sign = size + 1;
    if (sign < left.size() && (left[sign] == '+' || left[sign] == '-')) ++sign;
    if (digit(sign)) {
      size = sign;
      digits();
    }
  }
  // "12x" and "012" are no numbers.
  if (size < left.size() && (is_word(left[size]) || left[size] == '.')) return {};
  at_ += size;
  return left.substr(0, size);
}

void Source::expected(std::string_view what, std::size_t place) {
  fail(fmt::format("expected {}, found {}", what, found(place)), place);
}

void Source::fail(std::string_view what, std::size_t place) {
  if (!error_) {
    error_ =
        Error(Errc::kInvalid, fmt::format("{} at character {}\n{}", what,
                                          characters(text_.substr(0, place)) + 1, shown(place)));
  }
  at_ = text_.size();
}

Result<void> Source::end() {
  if (!error_ && !at_end()) expected("the end");
  if (error_) return std::unexpected(*error_);
  return {};
}

std::string Source::found(std::size_t place) const {
  std::string_view left = text_.substr(place);
  if (left.empty()) return "the end";
  std::size_t size = 1;
  if (left.front() == '"' || left.front() == '\'') {
    std::size_t close = left.find(left.front(), 1);
    size = close == std::string_view::npos ? left.size() : close + 1;
  } else if (is_word(left.front())) {
    while (size < left.size() && (is_word(left[size]) || left[size] == '.')) ++size;
  }
  bool cut = size > kFoundMax;
  size = std::min(size, kFoundMax);
  while (size < left.size() && continues(left[size])) ++size;
  std::string word(left.substr(0, size));
  std::ranges::replace_if(word, is_control, ' ');
  return word + (cut ? "..." : "");
}

std::string Source::shown(std::size_t place) const {
  std::size_t begin = text_.substr(0, place).rfind('\n') + 1;
  std::size_t end = std::min(text_.find('\n', place), text_.size());
  const char* before = "";
  if (place - begin > kAroundMax) {
    begin = place - kAroundMax;
    while (continues(text_[begin])) ++begin;
    before = "...";
  }
  const char* after = "";
  if (end - place > kAroundMax) {
    end = place + kAroundMax;
    while (end < text_.size() && continues(text_[end])) ++end;
    after = "...";
  }
  std::string line(text_.substr(begin, end - begin));
  std::ranges::replace_if(line, is_control, ' ');
  std::size_t column =
      characters(text_.substr(begin, place - begin)) + std::string_view(before).size();
  return fmt::format("  {}{}{}\n  {:>{}}", before, line, after, "^", column + 1);
}

}  // namespace weft
