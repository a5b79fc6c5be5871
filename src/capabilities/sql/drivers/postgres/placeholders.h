#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "capabilities/sql/value.h"

namespace weft::sql::postgres {

// A statement in PostgreSQL's own way of writing.
struct Translated {
  std::string text;
  std::size_t parameters = 0;
  // Its first word that is none of a comment, in capitals: "SELECT". Empty where it has none.
  std::string first_word = {};
  std::string second_word = {};
  // It names what is known to leave something behind in its connection: settings, locks, temporary
  // tables.
  bool leaves_traces = false;
};

// Writes `$1`, `$2` ... for the question marks of a statement, and `?` for each `??`: those that
// are not in a string, a name, a comment or between dollars. Refuses other placeholders and a
// second statement, and does not otherwise judge what stands there.
Or<Translated> to_postgres(std::string_view text);

}  // namespace weft::sql::postgres
