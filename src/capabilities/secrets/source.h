#pragma once

#include <memory>
#include <string_view>

#include "base/deadline.h"
#include "base/error.h"
#include "base/secret.h"
#include "door/answer.h"

namespace weft {
class Loop;
}  // namespace weft

// What a driver of secrets implements. The README says what each promises; the conformance suite
// holds every driver to it.
namespace weft::secrets {

// Bounds that hold for every driver.
inline constexpr std::size_t kNameBytesMax = 250;
inline constexpr std::size_t kValueBytesMax = 64 << 10;

// Where an answer is wanted, and until when. Passed by value.
struct Request {
  Loop& loop;
  Deadline deadline;
};

// Reads secrets on one loop. Never blocks it.
class Reader {
 public:
  virtual ~Reader() = default;
  // The value as it is now. kNotFound: there is none of that name. kUnavailable and kTimeout: what
  // keeps it does not answer, and later may work. A message may name files and servers, and is for
  // the operator alone; no message has a value in it.
  virtual Answer<Secret> get(Request request, std::string_view name) = 0;
};

// Where secrets are kept: one for the process, a reader of it for each loop.
class Source {
 public:
  virtual ~Source() = default;
  // Looks at it, once or often; on the thread that loads components. May block.
  virtual Result<void> open() = 0;
  // On any loop's thread, when it is open. The reader is gone before the source.
  virtual std::unique_ptr<Reader> reader(Loop& loop) = 0;
};

// A name that a driver may be asked for: 1 to kNameBytesMax bytes, none of them zero.
Result<void> check_name(std::string_view name);
// kLimit for a value that is too long.
Result<void> check_value(std::string_view name, std::string_view value);
// Takes the one newline off that editors and `echo` put behind a text; bytes that are no text stay
// what they are.
void drop_final_newline(std::string& value);

// Runs a loop that nobody else runs until the reader answers, or the deadline passes.
Result<Secret> wait_for(Loop& loop, Source& source, std::string_view name, Deadline deadline);

}  // namespace weft::secrets
