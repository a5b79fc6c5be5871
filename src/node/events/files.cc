#include "node/events/files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace weft::node::events {
namespace {

constexpr int kMode = 0600;

}  // namespace

Result<Fd> open_file(const std::filesystem::path& path, int flags) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg)
  Fd file(::open(path.c_str(), flags | O_CLOEXEC, kMode));
  if (file) return file;
  if (errno == ENOENT)
    return failure(Errc::kNotFound, fmt::format("{} is not there", path.native()));
  return system_failure(fmt::format("opening {}", path.native()), errno);
}

Result<void> write_at(int file, BytesView bytes, std::uint64_t offset,
                      const std::filesystem::path& path) {
  while (!bytes.empty()) {
    ssize_t done = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return system_failure(fmt::format("writing {}", path.native()), errno);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
  return {};
}

Result<std::size_t> read_at(int file, std::span<std::uint8_t> bytes, std::uint64_t offset,
                            const std::filesystem::path& path) {
  std::size_t got = 0;
  while (got < bytes.size()) {
    ssize_t done =
        ::pread(file, bytes.data() + got, bytes.size() - got, static_cast<off_t>(offset + got));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return system_failure(fmt::format("reading {}", path.native()), errno);
    if (done == 0) break;
    got += static_cast<std::size_t>(done);
  }
  return got;
}

Result<void> flush(int file, const std::filesystem::path& path) {
  if (::fdatasync(file) == 0) return {};
  return system_failure(fmt::format("flushing {}", path.native()), errno);
}

Result<void> flush_folder(const std::filesystem::path& folder) {
  TRY(Fd file, open_file(folder, O_RDONLY | O_DIRECTORY));
  if (::fsync(file.get()) == 0) return {};
  return system_failure(fmt::format("flushing {}", folder.native()), errno);
}

Result<void> replace_file(const std::filesystem::path& path, BytesView bytes) {
  std::filesystem::path unfinished = path;
  unfinished += kUnfinishedSuffix;
  {
    TRY(Fd file, open_file(unfinished, O_WRONLY | O_CREAT | O_TRUNC));
    TRY_VOID(write_at(file.get(), bytes, 0, unfinished));
    if (::fsync(file.get()) != 0) {
      return system_failure(fmt::format("flushing {}", unfinished.native()), errno);
    }
  }
  if (::rename(unfinished.c_str(), path.c_str()) != 0) {
    return system_failure(fmt::format("naming {}", path.native()), errno);
  }
  return flush_folder(path.parent_path());
}

Result<void> remove_file(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return system_failure(fmt::format("removing {}", path.native()), errno);
}

std::unexpected<Error> damage(const std::filesystem::path& path, std::uint64_t offset,
                              std::string_view what) {
  return failure(Errc::kCorrupt,
                 fmt::format("{}: at byte {}: {}; put back a copy of this file, or move the folder "
                             "{} aside, to be looked at: the node then begins a new log",
                             path.native(), offset, what, path.parent_path().native()));
}

}  // namespace weft::node::events
