#pragma once

#include <string>
#include <string_view>

namespace weft {

// Appends text as a JSON string, in its quotes. Text that is not UTF-8 stays what it is.
void append_json_string(std::string& out, std::string_view text);

}  // namespace weft
