#pragma once

#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "values/type.h"

namespace weft {

// Both sides of a call as WAVE text for people: "(1, \"two\")", and "ok(3)", which is empty where
// there is no result. Handles, streams and futures are shown as their numbers. Of a plain function
// it is the text that arguments_from_wave and value_from_wave read.
Result<std::string> arguments_to_text(const Signature& signature, BytesView bytes);
Result<std::string> result_to_text(const Signature& signature, BytesView bytes);

// Text cut to `most` bytes and three dots, at the end of a character.
std::string cut_text(std::string text, std::size_t most);

// Whether a function's bytes mean the same in another run: no handle, stream or future is in them.
bool is_plain(const Signature& signature);

}  // namespace weft
