#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "values/type.h"

namespace weft {

// A value of a plain type from WAVE text, as bytes. The error says what was expected and where.
Result<Bytes> value_from_wave(const Type& type, std::string_view text);
Result<std::string> value_to_wave(const Type& type, BytesView bytes);

// The arguments of a function, encoded, from "(1, \"two\")" at byte `from` of the text. The last
// ones may be left out where they are options.
Result<Bytes> arguments_from_wave(const Signature& signature, std::string_view text,
                                  std::size_t from = 0);

// A word that a case of the same name has to be told from, by a '%' before it.
bool is_wave_keyword(std::string_view word);

}  // namespace weft
