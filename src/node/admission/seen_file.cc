#include "node/admission/seen_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/fnv.h"

namespace weft::node {
namespace {

// As it stands in the file, little endian: kind, tag, value, id, and a sum over these.
struct Written {
  std::uint32_t kind;
  std::uint32_t tag;
  std::uint64_t value;
  SeenId id;
  std::uint64_t sum;
};
static_assert(sizeof(Written) == 40 && offsetof(Written, sum) == 32);

constexpr std::size_t kRecordsAtOnce = 4'096;

// Not zero of zeros, which is what a disk has where nothing was written.
std::uint64_t sum_of(const Written& record) {
  return fnv1a({reinterpret_cast<const char*>(&record), offsetof(Written, sum)}) ^
         0x7765'6674'7365'656e;
}

}  // namespace

Result<SeenFile> SeenFile::create(const std::filesystem::path& path) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return system_failure(fmt::format("making {}", path.string()), errno);
  return SeenFile(std::move(fd), path.string());
}

Result<void> SeenFile::append(const SeenRecord& record) {
  Written written{static_cast<std::uint32_t>(record.kind), record.tag, record.value, record.id, 0};
  written.sum = sum_of(written);
  ssize_t count = 0;
  do {
    count = ::pwrite(fd_.get(), &written, sizeof written, static_cast<off_t>(size_));
  } while (count < 0 && errno == EINTR);
  if (count == static_cast<ssize_t>(sizeof written)) {
    size_ += sizeof written;
    return {};
  }
  // The next one is written over it.
  return system_failure(fmt::format("writing {}", path_), count < 0 ? errno : ENOSPC);
}

Result<void> SeenFile::flush() const {
  if (::fdatasync(fd_.get()) == 0) return {};
  return system_failure(fmt::format("flushing {}", path_), errno);
}

Result<Fd> SeenFile::handle() const {
  Fd fd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!fd) return system_failure(fmt::format("opening {} again", path_), errno);
  return fd;
}

std::size_t SeenFile::records() const {
  return size_ / sizeof(Written);
}

Result<SeenTail> read_seen_file(const std::filesystem::path& path,
                                const std::function<void(const SeenRecord&)>& each) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return system_failure(fmt::format("opening {}", path.string()), errno);
  std::vector<Written> batch(kRecordsAtOnce);
  SeenTail tail = SeenTail::kWhole;
  for (std::uint64_t offset = 0;;) {
    ssize_t count =
        ::pread(fd.get(), batch.data(), batch.size() * sizeof(Written), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure(fmt::format("reading {}", path.string()), errno);
    std::size_t whole = static_cast<std::size_t>(count) / sizeof(Written);
    for (const Written& written : std::span(batch).first(whole)) {
      if (written.sum != sum_of(written)) {
        tail = SeenTail::kDamaged;
        continue;
      }
      each({static_cast<SeenRecord::Kind>(written.kind), written.tag, written.value, written.id});
    }
    offset += whole * sizeof(Written);
    if (whole > 0) continue;
    if (count > 0 && tail == SeenTail::kWhole) tail = SeenTail::kCut;
    return tail;
  }
}

Result<void> flush_seen_file(const std::filesystem::path& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return system_failure(fmt::format("opening {}", path.string()), errno);
  if (::fdatasync(fd.get()) == 0) return {};
  return system_failure(fmt::format("flushing {}", path.string()), errno);
}

}  // namespace weft::node
