#pragma once

#include <string>
#include <string_view>

#include "door/codec.h"
#include "values/source.h"
#include "values/type.h"

namespace weft {

// What a value may have at most: as bytes, and as text.
inline constexpr std::size_t kValueBytesMax = std::size_t{128} << 20;
inline constexpr std::size_t kTextBytesMax = std::size_t{512} << 20;

// Reads a number of a numeric type, but for nan and the infinities, and writes its bytes.
void read_number(Source& in, const Type& type, Writer& out);
// One of "nan", "inf" and "-inf". False: it is none of them.
bool write_special_float(std::string_view word, const Type& type, Writer& out);
// Reads the bytes of a number and appends it as text; nan and the infinities too.
void append_number(Reader& in, const Type& type, std::string& out);
// What is expected where a value of this type is to be: "u8 (0 to 255)".
std::string expectation(const Type& type);

// Appends a character as UTF-8. False: it is none.
bool append_utf8(std::string& out, char32_t value);
// The first character of text that is UTF-8 and not empty, and how many bytes it has.
struct Character {
  char32_t value;
  std::size_t size;
};
Character first_character(std::string_view text);

// The place of `name` in the type's names. Nothing: `in` has failed at `place`, naming the nearest.
std::optional<std::size_t> find_name(Source& in, const Type& type, std::string_view name,
                                     std::size_t place);
// Makes bytes of flags: bit i for each i that is set.
void write_flags(const std::vector<bool>& set, Writer& out);

}  // namespace weft
