#pragma once

#include <span>

#include "base/embedded_file.h"

namespace weft {

// The headers of the C++ SDK, the WIT that weft serves, the worlds and templates of `weft new`.
std::span<const EmbeddedFile> embedded_files();

}  // namespace weft
