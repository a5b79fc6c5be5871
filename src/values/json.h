#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "values/type.h"

namespace weft {

// A value of a plain type from JSON in the shape that docs/ENCODING.md describes, as bytes. The
// error says what was expected and where. Fields that are options may be left out.
Result<Bytes> value_from_json(const Type& type, std::string_view text);
Result<std::string> value_to_json(const Type& type, BytesView bytes);

// The arguments of a function, encoded, from an array of them. The last ones may be left out where
// they are options.
Result<Bytes> arguments_from_json(const Signature& signature, std::string_view text);

}  // namespace weft
