#pragma once

#include <filesystem>

#include "base/bytes.h"
#include "base/error.h"

namespace weft {

// Files of our own folders are for nobody else.
inline constexpr unsigned kFileMode = 0600;

// Whether a file has to be there after a power cut, or only after a kill -9.
enum class Durable : std::uint8_t { kNo, kYes };

// The failure for an errno of the disk: kFull where it has no room or the process may have no more.
std::unexpected<Error> disk_failure(std::string_view doing, int errno_value);

// Beside its place first, then renamed: nobody sees half of it, and where it fails, what was there
// before still is. One at a time for each path.
Result<void> write_whole(const std::filesystem::path& path, BytesView bytes, Durable durable);
// What `write_whole` leaves behind when the process ends in the middle of it.
inline constexpr std::string_view kAsideEnding = ".new";

// All of the bytes at that place of an open file.
Result<void> write_at(int file, BytesView bytes, std::uint64_t place);
// What there is from that place on, at most as much as `bytes` has room for: how much that was.
Result<std::size_t> read_at(int file, std::span<std::uint8_t> bytes, std::uint64_t place);

// Waits until a file or a folder is on the disk as it is now.
Result<void> sync_path(const std::filesystem::path& path);

}  // namespace weft
