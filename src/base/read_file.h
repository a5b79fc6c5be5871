#pragma once

#include <cstddef>
#include <string>

#include "base/error.h"

namespace weft {

// How long a pipe that is named as a file may take to say what it has.
inline constexpr int kPipePatienceMs = 10'000;

// The bytes of a file, or what a pipe gives until its end. kLimit when there are more than `most`;
// a folder or a device is no file. Never waits for somebody to open the other end of a pipe.
Result<std::string> read_file(const std::string& path, std::size_t most);

}  // namespace weft
