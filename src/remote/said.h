#pragma once

#include <string>
#include <string_view>

namespace weft::remote {

inline constexpr std::size_t kSaidBytesMax = 512;

// What a server said, as it may stand in a message to operators and guests: one line of UTF-8, cut
// where it is long. Servers say things in other encodings, and what is no server of that kind says
// anything.
std::string said(std::string_view text);

}  // namespace weft::remote
