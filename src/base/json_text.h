#pragma once

#include <string>
#include <string_view>

namespace weft {

// Appends text as a JSON string, in its quotes. Text that is not UTF-8 stays what it is.
void append_json_string(std::string& out, std::string_view text);

// The same as a member that follows another: ,"key":"text".
void append_json_member(std::string& out, std::string_view key, std::string_view text);

}  // namespace weft
