#pragma once

#include <string_view>

namespace weft {

// As `weft --version`, the metrics and the traces tell it.
inline constexpr std::string_view kWeftVersion = "0.1.0";

}  // namespace weft
