#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

namespace weft::remote {

// Base64 as servers write bytes in JSON: the standard alphabet, padded.
std::string base64(BytesView bytes);
void append_base64(std::string& out, BytesView bytes);
// kCorrupt for anything that `base64` does not write.
Result<Bytes> from_base64(std::string_view text);

}  // namespace weft::remote
