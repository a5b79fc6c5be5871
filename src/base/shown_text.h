#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Text for people, which may have come from anybody: a terminal obeys some characters, and others
// make a line read as what it is not.
namespace weft {

// The bytes of the character that `text` begins with, where it may be shown as it is. 0: it is a
// control character, one that turns or ends the line it stands in (U+2028, U+202E and their like),
// or no UTF-8.
std::size_t shown_length(std::string_view text);

// Text of several lines: what may not be shown, other than newlines and tabs, as \xNN.
std::string without_controls(std::string_view text);
// The same for a part of one line: newlines and tabs are \n and \t in it, and a carriage return \r.
std::string on_one_line(std::string_view text);
// JSON as it is for whoever parses it, with what may not be shown as \uNNNN.
std::string json_without_controls(std::string_view json);

}  // namespace weft
