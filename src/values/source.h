#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace weft {

// Text that is read from front to back, and where in it something is wrong.
//
// Borrows the text. The first failure sticks: from then on there is nothing left to read, and `end`
// reports it with the line and a mark below the place.
class Source {
 public:
  // Reading begins at byte `from`; messages show all of the text.
  explicit Source(std::string_view text, std::size_t from = 0);

  bool failed() const { return error_.has_value(); }
  bool at_end() const { return at_ == text_.size(); }
  // The next byte, or 0 at the end.
  char next() const { return at_end() ? '\0' : text_[at_]; }
  std::string_view rest() const { return text_.substr(at_); }
  std::size_t place() const { return at_; }

  void advance(std::size_t count) { at_ += count; }
  bool skip(std::string_view token);
  // Letters, digits, '-' and '_': what labels and keywords are made of.
  std::string_view peek_word() const;
  // A number as JSON writes them; empty where there is none.
  std::string_view number();

  // "expected <what>, found ..." at the place of reading, or at an earlier one.
  void expected(std::string_view what) { expected(what, at_); }
  void expected(std::string_view what, std::size_t place);
  void fail(std::string_view what, std::size_t place);
  // Everything was well, and nothing is left.
  Result<void> end();

 private:
  std::string found(std::size_t place) const;
  // The line of a place, with a mark below it.
  std::string shown(std::size_t place) const;

  std::string_view text_;
  std::size_t at_;
  std::optional<Error> error_;
};

}  // namespace weft
