#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace weft {

// Types within types; the engine takes no more either.
inline constexpr unsigned kTypeDepthMax = 100;

// The type of a value, with everything but resources spelled out.
struct Type {
  enum class Kind : std::uint8_t {
    kNothing,  // No payload, no result.
    kBool,
    kU8,
    kU16,
    kU32,
    kU64,
    kS8,
    kS16,
    kS32,
    kS64,
    kF32,
    kF64,
    kChar,
    kString,
    kList,
    kFixedList,
    kMap,
    kTuple,
    kRecord,
    kVariant,
    kEnum,
    kFlags,
    kOption,
    kResult,
    kOwn,
    kBorrow,
    kStream,
    kFuture,
    kErrorContext,
  };

  Kind kind = Kind::kNothing;
  std::uint32_t length = 0;  // Of a list of fixed length.
  // Of fields, cases and flags; of a resource its name.
  std::vector<std::string> names = {};
  // Of elements, fields, payloads (kNothing where a case has none); key and value; ok and err.
  std::vector<Type> parts = {};

  bool is_number() const { return kind >= Kind::kU8 && kind <= Kind::kF64; }
  bool is_signed() const { return kind >= Kind::kS8 && kind <= Kind::kS64; }
  // Of a whole number.
  unsigned bits() const;

  // The canonical text, cut where it is longer than `most` bytes.
  std::string text(std::size_t most = 200) const;
};

// The type of a function.
struct Signature {
  struct Parameter {
    std::string name;
    Type type;
  };

  bool is_async = false;
  std::vector<Parameter> parameters = {};
  Type result = {};
};

// From the canonical text: "list<record{name: string}>". The text may be anything.
Result<Type> parse_type(std::string_view text);
// "func(name: string, dims: list<u32>) -> result<_, string>"
Result<Signature> parse_signature(std::string_view text);

// A part that is no plain value (a resource, a stream, a future), as text; nothing: there is none.
std::optional<std::string> find_handle(const Type& type);

}  // namespace weft
