#pragma once

#include <span>
#include <string_view>

namespace weft {

// A text file of the repository inside the binary.
struct EmbeddedFile {
  std::string_view path;  // "sdk/cpp/weft/http.h"
  std::string_view text;
};

// The headers of the C++ SDK, the WIT that weft serves, the worlds and templates of `weft new`.
std::span<const EmbeddedFile> embedded_files();

}  // namespace weft
