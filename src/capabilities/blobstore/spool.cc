#include "capabilities/blobstore/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <utility>

#include "io/blocking.h"

namespace weft::blobstore {
namespace {

// A file that no folder has.
Result<Fd> open_nameless() {
  std::error_code problem;
  std::string folder = std::filesystem::temp_directory_path(problem).string();
  Fd file(::open(folder.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
  if (file) return file;
  // Not every file system has those.
  std::string path = folder + "/weft-body-XXXXXX";
  file = Fd(::mkostemp(path.data(), O_CLOEXEC));
  if (!file) {
    return system_failure(
        fmt::format("keeping a body that has no name yet in {} (set TMPDIR to another folder)",
                    folder),
        errno);
  }
  static_cast<void>(::unlink(path.c_str()));
  return file;
}

Result<void> write_at(int fd, BytesView bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure("keeping a body that has no name yet", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    at += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<Bytes> read_at(int fd, std::size_t size, std::uint64_t at) {
  Bytes bytes(size);
  for (std::size_t got = 0; got < size;) {
    ssize_t count = ::pread(fd, bytes.data() + got, size - got, static_cast<off_t>(at + got));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return system_failure("reading back a body", count < 0 ? errno : EIO);
    got += static_cast<std::size_t>(count);
  }
  return bytes;
}

}  // namespace

Task<void> Spool::write(Request request, Bytes bytes) {
  if (file_ == nullptr) {
    CO_TRY(Fd file, co_await blocking(pool_, request.loop, [] { return open_nameless(); }));
    file_ = std::make_shared<Fd>(std::move(file));
  }
  std::size_t size = bytes.size();
  auto work = [file = file_, bytes = std::move(bytes), at = in_file_] {
    return write_at(file->get(), bytes, at);
  };
  CO_TRY_VOID(co_await blocking(pool_, request.loop, std::move(work)));
  in_file_ += size;
  co_return Result<void>();
}

Task<void> Spool::add(Request request, Bytes part) {
  if (in_file_ + memory_.size() + part.size() > bytes_max_) {
    co_return failure(Errc::kLimit,
                      fmt::format("{} bytes were written to a value that no write-data has given a "
                                  "name: call write-data first for what is larger",
                                  bytes_max_));
  }
  if (memory_.size() + part.size() <= kMemoryMax) {
    memory_.insert(memory_.end(), part.begin(), part.end());
    co_return Result<void>();
  }
  if (!memory_.empty()) CO_TRY_VOID(co_await write(request, std::exchange(memory_, {})));
  co_return co_await write(request, std::move(part));
}

Task<Bytes> Spool::take(Request request) {
  if (taken_ == in_file_) co_return std::exchange(memory_, {});
  auto size = static_cast<std::size_t>(std::min<std::uint64_t>(in_file_ - taken_, kPartBytesMax));
  auto work = [file = file_, size, at = taken_] { return read_at(file->get(), size, at); };
  CO_TRY(Bytes bytes, co_await blocking(pool_, request.loop, std::move(work)));
  taken_ += bytes.size();
  co_return bytes;
}

}  // namespace weft::blobstore
