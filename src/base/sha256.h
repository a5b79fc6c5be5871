#pragma once

#include <string>

#include "base/bytes.h"

namespace weft {

// The SHA-256 of `bytes` as 64 hexadecimal digits.
std::string sha256_hex(BytesView bytes);

}  // namespace weft
