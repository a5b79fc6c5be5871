#pragma once

#include <string_view>

namespace weft {

// Whether the calls of an interface carry secrets, whoever serves it: nobody who watches or records
// calls gets to see what is in them.
constexpr bool is_confidential(std::string_view interface) {
  return interface.starts_with("weft:secrets/") || interface.starts_with("wasmcloud:secrets/");
}

}  // namespace weft
