#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"

// Files of the log, changed so that a power cut leaves the old or the new. From any thread.
namespace weft::node::events {

// What a file is called until all of it is on disk.
inline constexpr std::string_view kUnfinishedSuffix = ".new";

// With open(2)'s flags; kNotFound where it is not there.
Result<Fd> open_file(const std::filesystem::path& path, int flags);
Result<void> write_at(int file, BytesView bytes, std::uint64_t offset,
                      const std::filesystem::path& path);
// As much as there is, at most `bytes.size()`.
Result<std::size_t> read_at(int file, std::span<std::uint8_t> bytes, std::uint64_t offset,
                            const std::filesystem::path& path);
Result<void> flush(int file, const std::filesystem::path& path);
// The names in it.
Result<void> flush_folder(const std::filesystem::path& folder);
// All of a file at once, durably, in the place of one that may be there.
Result<void> replace_file(const std::filesystem::path& path, BytesView bytes);
// Absent is as good.
Result<void> remove_file(const std::filesystem::path& path);

// kCorrupt, with what a person does about it.
std::unexpected<Error> damage(const std::filesystem::path& path, std::uint64_t offset,
                              std::string_view what);

}  // namespace weft::node::events
