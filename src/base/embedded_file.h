#pragma once

#include <string_view>

namespace weft {

// A text file of the repository inside the binary: what weft_embed (cmake/) makes a table of.
struct EmbeddedFile {
  std::string_view path;  // "sdk/cpp/weft/http.h"
  std::string_view text;
};

}  // namespace weft
