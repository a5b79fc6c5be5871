#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "capabilities/sql/value.h"

namespace weft::sql::mysql {

// What a statement is, as far as it takes to know what guests may send.
struct Scanned {
  std::string text;  // Up to its end: what comes behind a `;` is only comments.
  std::size_t parameters = 0;
  bool empty = true;  // There is nothing but comments.
  // Its first word that is none of a comment, in capitals: "SELECT". Empty where it has none.
  std::string first_word = {};
  std::string second_word = {};
  // It names what is known to leave something behind in its connection: variables, locks.
  bool leaves_traces = false;
};

// Reads a statement as MySQL's scanner does in the mode that the driver sets: double quotes are for
// names, and a backslash is a character. Refuses other placeholders, comments that are executed,
// `??` and a second statement, and does not otherwise judge what stands there.
Or<Scanned> scan(std::string_view text);

}  // namespace weft::sql::mysql
