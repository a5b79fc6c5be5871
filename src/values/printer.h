#pragma once

#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "values/type.h"

namespace weft {

enum class Notation : std::uint8_t { kWave, kJson };

// One value of a plain type as text. Fails for bytes that are none, and beyond kTextBytesMax.
Result<std::string> print_value(const Type& type, BytesView bytes, Notation notation);

}  // namespace weft
