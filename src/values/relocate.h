#pragma once

#include <cstdint>
#include <string_view>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "door/pipe.h"
#include "values/type.h"

namespace weft {

// What the numbers of handles and pipes become on their way from one party to another. Each is
// asked once, in the order of the bytes; a failure fails the value. What was handed over before a
// failure is the implementor's to keep or to drop.
class Renumbering {
 public:
  virtual ~Renumbering() = default;

  // Of an own<resource> and of a borrow<resource>.
  virtual Result<std::uint32_t> own(std::string_view resource, std::uint32_t number) = 0;
  virtual Result<std::uint32_t> borrow(std::string_view resource, std::uint32_t number) = 0;
  // Of a stream, a future or wasi:io's input-stream: whoever reads the value takes over the reading
  // end. Of an output-stream: the writing end.
  virtual Result<std::uint32_t> reader(PipeKind kind, std::uint32_t number) = 0;
  virtual Result<std::uint32_t> writer(PipeKind kind, std::uint32_t number) = 0;
};

// Appends `bytes`, one encoded value of `type`, to `out`, with each number as `numbers` says and
// everything else as it was. The bytes may be anybody's: what is no value of the type, to the last
// byte, fails, and what was appended up to there means nothing.
Result<void> relocate(const Type& type, BytesView bytes, Renumbering& numbers, Buffer& out);

// The same for what a call of a function takes, and for what it gives.
Result<void> relocate_arguments(const Signature& signature, BytesView bytes, Renumbering& numbers,
                                Buffer& out);
Result<void> relocate_result(const Signature& signature, BytesView bytes, Renumbering& numbers,
                             Buffer& out);

}  // namespace weft
