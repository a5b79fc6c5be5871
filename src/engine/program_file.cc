#include "engine/program_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace weft {

Result<ProgramFile> ProgramFile::open(const std::string& path) {
  // A FIFO would wait for its writer in open.
  Fd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!file) {
    Error error = system_failure("opening it", errno).error();
    return failure(error.code(), error.message() +
                                     ": name a .wasm or .wat that is there and that "
                                     "this user may read");
  }
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return system_failure("reading it", errno);
  if (!S_ISREG(info.st_mode)) {
    return failure(Errc::kInvalid, "it is not a file: name a .wasm or .wat");
  }
  auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > kBytesMax) {
    return failure(Errc::kLimit, fmt::format("it has {} bytes, the most a program may have is {}",
                                             size, kBytesMax));
  }
  return ProgramFile(std::move(file), size,
                     fmt::format("{:x}-{:x}-{:x}-{:x}-{:x}", info.st_dev, info.st_ino, size,
                                 info.st_mtim.tv_sec, info.st_mtim.tv_nsec));
}

Result<Bytes> ProgramFile::read() const {
  Bytes bytes(size_);
  std::size_t have = 0;
  while (have < bytes.size()) {
    ssize_t count =
        ::pread(file_.get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure("reading it", errno);
    if (count == 0) return failure(Errc::kIo, "it became shorter while it was read");
    have += static_cast<std::size_t>(count);
  }
  return bytes;
}

}  // namespace weft
