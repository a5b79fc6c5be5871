#include "capabilities/sql/drivers/mysql/scanner.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::sql::mysql {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_space(char c) {
  return std::string_view(" \t\r\n\f\v").contains(c);
}
bool is_of_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || is_digit(c) ||
         static_cast<unsigned char>(c) >= 0x80;
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  Or<Scanned> run() {
    std::size_t end = text_.size();
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (is_space(c)) {
        ++at_;
      } else if (begins_comment()) {
        auto done = comment();
        if (!done) return failed(std::move(done).error());
      } else if (c == ';') {
        end = std::min(end, at_++);
      } else if (end != text_.size()) {
        return failed(Failure::invalid_sql(fmt::format(
            "a second statement: \"{:.40}\": one goes in a call, several in a transaction",
            text_.substr(at_))));
      } else {
        out_.empty = false;
        auto done = token(c);
        if (!done) return failed(std::move(done).error());
      }
    }
    out_.text = text_.substr(0, end);
    return std::move(out_);
  }

 private:
  char peek(std::size_t ahead) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  // Two dashes begin one only before a space.
  bool begins_comment() const {
    auto rest = text_.substr(at_);
    if (rest.starts_with("#") || rest.starts_with("/*")) return true;
    if (!rest.starts_with("--")) return false;
    return rest.size() == 2 || is_space(rest[2]) || static_cast<unsigned char>(rest[2]) < 0x20;
  }

  Or<void> comment() {
    auto rest = text_.substr(at_);
    if (rest.starts_with("/*!") || rest.starts_with("/*M!")) {
      return failed(Failure::invalid_sql("a comment that is executed is not served"));
    }
    bool block = rest.starts_with("/*");
    auto end = block ? text_.find("*/", at_ + 2) : text_.find('\n', at_);
    if (block && end == text_.npos) {
      return failed(Failure::invalid_sql("a comment without an end"));
    }
    at_ = end == text_.npos ? text_.size() : end + (block ? 2 : 1);
    return {};
  }

  Or<void> token(char c) {
    if (c == '?') return question();
    if (c == '\'' || c == '"' || c == '`') return quoted(c);
    if (c == ':') {
      if (peek(1) == '=') {
        at_ += 2;
        return {};
      }
      return failed(Failure::invalid_sql("a placeholder with a name: write ? for each parameter"));
    }
    if (c == '$' && is_digit(peek(1))) {
      return failed(
          Failure::invalid_sql("a placeholder with a number: write ? for each parameter"));
    }
    if (is_of_name(c)) {
      word();
      return {};
    }
    // A variable: it is still there for the next one.
    if (c == '@') out_.leaves_traces = true;
    ++at_;
    return {};
  }

  Or<void> question() {
    if (peek(1) == '?') {
      return failed(Failure::invalid_sql("there is no operator with a question mark here"));
    }
    if (is_digit(peek(1))) {
      return failed(
          Failure::invalid_sql("a placeholder with a number: write ? for each parameter"));
    }
    ++out_.parameters;
    ++at_;
    return {};
  }

  // A quote inside is written twice.
  Or<void> quoted(char quote) {
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] != quote) continue;
      if (peek(1) != quote) {
        ++at_;
        return {};
      }
      ++at_;
    }
    return failed(Failure::invalid_sql("a quote without an end"));
  }

  void word() {
    std::size_t end = at_;
    while (end < text_.size() && is_of_name(text_[end])) ++end;
    std::string found;
    constexpr std::size_t kLongest = 64;
    for (char c : text_.substr(at_, std::min(end - at_, kLongest))) {
      found.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
    }
    at_ = end;
    out_.leaves_traces |= found == "GET_LOCK";
    if (out_.first_word.empty()) {
      out_.first_word = std::move(found);
    } else if (out_.second_word.empty()) {
      out_.second_word = std::move(found);
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Scanned out_;
};

}  // namespace

Or<Scanned> scan(std::string_view text) {
  return Scanner(text).run();
}

}  // namespace weft::sql::mysql
