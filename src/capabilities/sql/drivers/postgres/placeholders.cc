#include "capabilities/sql/drivers/postgres/placeholders.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::sql::postgres {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_space(char c) {
  return std::string_view(" \t\r\n\f\v").contains(c);
}
bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool goes_on_name(char c) {
  return begins_name(c) || is_digit(c);
}

// Reads a statement as PostgreSQL's scanner does, as far as it takes to know what a question mark
// is.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  Or<Translated> run() {
    while (at_ < text_.size()) {
      auto done = step();
      if (!done) return failed(std::move(done).error());
    }
    return std::move(out_);
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool begins(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  // Takes what is before `end` over as it is.
  void copy_to(std::size_t end) {
    end = std::min(end, text_.size());
    out_.text += text_.substr(at_, end - at_);
    at_ = end;
  }

  Or<void> step() {
    char c = peek();
    if (is_space(c)) {
      copy_to(at_ + 1);
      return {};
    }
    if (begins("--")) {
      copy_to(std::min(text_.find_first_of("\n\r", at_), text_.size()));
      return {};
    }
    if (begins("/*")) {
      comment();
      return {};
    }
    if (c == ';') {
      ended_ = true;
      copy_to(at_ + 1);
      return {};
    }
    if (ended_) {
      return failed(Failure::invalid_sql(fmt::format(
          "a second statement: \"{:.40}\": one goes in a call, several in a transaction",
          text_.substr(at_))));
    }
    return token(c);
  }

  Or<void> token(char c) {
    if (c == '?') return question();
    if (c == '\'') {
      quoted('\'', Escapes::kNone);
    } else if (c == '"') {
      name_in_quotes();
    } else if (c == '$') {
      return dollar();
    } else if (c == ':') {
      return colon();
    } else if (begins_name(c)) {
      word();
    } else if (is_digit(c)) {
      auto end = std::find_if_not(text_.begin() + static_cast<std::ptrdiff_t>(at_), text_.end(),
                                  goes_on_name);
      copy_to(static_cast<std::size_t>(end - text_.begin()));
    } else {
      if (c == '[') ++brackets_;
      if (c == ']' && brackets_ > 0) --brackets_;
      copy_to(at_ + 1);
    }
    return {};
  }

  // "::" is a cast and "a[1:n]" a slice.
  Or<void> colon() {
    if (peek(1) == ':' || peek(1) == '=') {
      copy_to(at_ + 2);
      return {};
    }
    if (brackets_ == 0 && begins_name(peek(1))) {
      return failed(Failure::invalid_sql("a placeholder with a name: write ? for each parameter"));
    }
    copy_to(at_ + 1);
    return {};
  }

  Or<void> question() {
    if (peek(1) == '?') {
      out_.text += '?';
      at_ += 2;
      return {};
    }
    if (is_digit(peek(1))) {
      return failed(
          Failure::invalid_sql("a placeholder with a number: write ? for each parameter"));
    }
    out_.text += fmt::format("${}", ++out_.parameters);
    ++at_;
    // What follows must not become a part of the number's token.
    if (goes_on_name(peek())) out_.text += ' ';
    return {};
  }

  enum class Escapes : std::uint8_t { kNone, kBackslash };

  // A quote inside is written twice, or behind a backslash where those escape. Without an end it
  // goes to the end of the text, and the server says so.
  void quoted(char quote, Escapes escapes) {
    std::size_t end = at_ + 1;
    while (end < text_.size()) {
      if (escapes == Escapes::kBackslash && text_[end] == '\\') {
        end += 2;
      } else if (text_[end] != quote) {
        ++end;
      } else if (end + 1 < text_.size() && text_[end + 1] == quote) {
        end += 2;
      } else {
        ++end;
        break;
      }
    }
    copy_to(end);
  }

  // A name like any other. One with escapes in it (U&"...") may be whatever name.
  void name_in_quotes() {
    std::size_t begin = at_;
    bool escaped = begin >= 2 && text_[begin - 1] == '&' && (text_[begin - 2] | 0x20) == 'u';
    quoted('"', Escapes::kNone);
    trace(text_.substr(begin + 1, at_ - begin - 1));
    out_.leaves_traces |= escaped;
  }

  // Comments are inside of each other.
  void comment() {
    std::size_t end = at_ + 2;
    for (std::size_t depth = 1; depth > 0 && end < text_.size();) {
      auto rest = text_.substr(end);
      if (rest.starts_with("/*")) {
        ++depth;
        end += 2;
      } else if (rest.starts_with("*/")) {
        --depth;
        end += 2;
      } else {
        ++end;
      }
    }
    copy_to(end);
  }

  // "$$ text $$", "$tag$ text $tag$": nothing inside is looked at.
  Or<void> dollar() {
    if (is_digit(peek(1))) {
      return failed(
          Failure::invalid_sql("a placeholder with a number: write ? for each parameter"));
    }
    std::size_t end = at_ + 1;
    if (end < text_.size() && begins_name(text_[end])) {
      while (end < text_.size() && goes_on_name(text_[end])) ++end;
    }
    if (end >= text_.size() || text_[end] != '$') {
      copy_to(at_ + 1);
      return {};
    }
    auto tag = text_.substr(at_, end + 1 - at_);
    auto close = text_.find(tag, end + 1);
    copy_to(close == text_.npos ? text_.size() : close + tag.size());
    return {};
  }

  void word() {
    std::size_t end = at_;
    // A dollar is a part of a name, but does not begin one.
    while (end < text_.size() && (goes_on_name(text_[end]) || text_[end] == '$')) ++end;
    auto found = text_.substr(at_, end - at_);
    note(found);
    copy_to(end);
    bool escapes = found == "e" || found == "E";
    while (escapes && peek() == '\'') {
      quoted('\'', Escapes::kBackslash);
      // A string that goes on in another line is the same string still.
      std::size_t next = std::min(text_.find_first_not_of(" \t\r\n\f", at_), text_.size());
      auto between = text_.substr(at_, next - at_);
      if (between.find_first_of("\r\n") == between.npos) break;
      copy_to(next);
    }
  }

  void note(std::string_view found) {
    trace(found);
    std::string* place = out_.first_word.empty()    ? &out_.first_word
                         : out_.second_word.empty() ? &out_.second_word
                                                    : nullptr;
    if (place == nullptr) return;
    for (char c : found) place->push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
  }

  void trace(std::string_view found) {
    constexpr std::size_t kLongest = 24;
    if (found.size() > kLongest) found = found.substr(0, kLongest);
    std::string word;
    for (char c : found) word.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
    bool temporary = word == "TEMP" || word == "TEMPORARY" || word == "LOCAL" || word == "GLOBAL";
    // These run a text as a statement.
    bool runs_text =
        word.contains("_TO_XML") || word.starts_with("TS_STAT") || word.starts_with("TS_REWRITE");
    out_.leaves_traces |= word.starts_with("SET_CONFIG") || word.starts_with("PG_TEMP") ||
                          word.contains("ADVISORY") || (temporary && last_word_ == "INTO") ||
                          runs_text;
    last_word_ = std::move(word);
  }

  std::string_view text_;
  std::string last_word_;
  std::size_t at_ = 0;
  std::size_t brackets_ = 0;  // That are open.
  bool ended_ = false;
  Translated out_;
};

}  // namespace

Or<Translated> to_postgres(std::string_view text) {
  return Scanner(text).run();
}

}  // namespace weft::sql::postgres
