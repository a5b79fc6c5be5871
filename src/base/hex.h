#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

namespace weft {

// Two digits of 0-9a-f a byte, and back: kInvalid for an odd number of digits, or for what is none.
std::string hex(BytesView bytes);
Result<Bytes> from_hex(std::string_view text);

}  // namespace weft
