#pragma once

#include <string_view>

#include "base/line_writer.h"

namespace weft {

// stderr as the process's own line writer: while it lives the log and `say` go through it, and wait
// for nobody. Made by main, one at a time, before threads that log and destroyed after them.
// Without it, as in a test or a small tool, they write to stderr directly.
class Console {
 public:
  Console();
  Console(const Console&) = delete;
  ~Console();

 private:
  LineWriter writer_;
};

// Writes `line` and its end to stderr. Never throws and never fails: where nobody can be told,
// nobody is. What is said is in its order with the log.
void say(std::string_view line) noexcept;

// The same as say for whole lines with their ends.
void write_to_stderr(std::string_view lines) noexcept;

}  // namespace weft
