#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace weft {

// Raises the soft limit of open files to the hard one and returns it.
Result<std::uint64_t> raise_open_files();

// A size as people write it: "64MiB", "512KB", "4096". Units: B, KB, MB, GB (powers of 1000), KiB,
// MiB, GiB (powers of 1024); no sign, no fraction. kLimit when it is too large for the type.
Result<std::uint64_t> parse_size(std::string_view text);

// A length of time in nanoseconds: "200ms", "5s", "10us", "2m", "1h". kLimit likewise.
Result<std::uint64_t> parse_duration_ns(std::string_view text);

}  // namespace weft
