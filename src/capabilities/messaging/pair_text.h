#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weft::messaging {

// Metadata that a server's protocol cannot carry as they are: one pair as KEY=VALUE, with %XX for
// what is special, under this name.
inline constexpr std::string_view kPairName = "Weft-Metadata";

std::string pair_text(std::string_view key, std::string_view value);
// Nothing: it is none.
std::optional<std::pair<std::string, std::string>> read_pair(std::string_view text);
// Without control characters and what is no character.
bool is_plain_text(std::string_view text);

}  // namespace weft::messaging
