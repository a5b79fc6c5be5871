#include "base/whole_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/fd.h"

namespace weft {

std::unexpected<Error> disk_failure(std::string_view doing, int errno_value) {
  auto failed = system_failure(doing, errno_value);
  if (errno_value != ENOSPC && errno_value != EDQUOT && errno_value != EFBIG) return failed;
  return failure(Errc::kFull, failed.error().message());
}

Result<void> write_at(int file, BytesView bytes, std::uint64_t place) {
  while (!bytes.empty()) {
    ssize_t count = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(place));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return disk_failure("writing", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    place += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<std::size_t> read_at(int file, std::span<std::uint8_t> bytes, std::uint64_t place) {
  std::size_t read = 0;
  while (read < bytes.size()) {
    ssize_t count =
        ::pread(file, bytes.data() + read, bytes.size() - read, static_cast<off_t>(place + read));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return disk_failure("reading", errno);
    if (count == 0) break;
    read += static_cast<std::size_t>(count);
  }
  return read;
}

Result<void> sync_path(const std::filesystem::path& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0) {
    return disk_failure(fmt::format("{}: syncing", path.string()), errno);
  }
  return {};
}

Result<void> write_whole(const std::filesystem::path& path, BytesView bytes, Durable durable) {
  std::string aside = path.string() + std::string(kAsideEnding);
  // What an interrupted write left behind, or somebody put there.
  ::unlink(aside.c_str());
  Fd file(::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kFileMode));
  if (!file) return disk_failure(fmt::format("{}: making it", aside), errno);
  Result<void> done = write_at(file.get(), bytes, 0);
  if (done && durable == Durable::kYes && ::fsync(file.get()) != 0) {
    done = disk_failure("syncing", errno);
  }
  if (done && ::rename(aside.c_str(), path.c_str()) != 0) done = disk_failure("renaming", errno);
  if (!done) {
    ::unlink(aside.c_str());
    return std::unexpected(std::move(done).error().within(path.string()));
  }
  if (durable == Durable::kNo) return {};
  return sync_path(path.has_parent_path() ? path.parent_path() : ".");
}

}  // namespace weft
