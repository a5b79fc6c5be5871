#include "engine/compile_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "base/fd.h"

namespace weft {
namespace {

namespace fs = std::filesystem;

// Read at a time, so that the checksum runs in the processor's cache.
constexpr std::size_t kCheckedAtOnce = 256 * 1024;
constexpr std::size_t kDigestLength = 64;
// More than a note of the cache's own ever has.
constexpr std::size_t kNoteMax = 128;

std::string check_path(std::string artefact) {
  return fs::path(std::move(artefact)).replace_extension("check");
}

std::string check_text(std::uint64_t length, std::uint64_t sum) {
  return fmt::format("{} {:016x}", length, sum);
}

// Says that a file was used just now. Only a hint for what goes first.
void touch(const std::string& path) {
  ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
}

// The whole of a small file of the cache's own.
std::optional<std::string> read_note(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[kNoteMax];
  ssize_t count = file ? ::read(file.get(), text, sizeof text) : -1;
  if (count < 0) return std::nullopt;
  return std::string(text, static_cast<std::size_t>(count));
}

Result<void> write_all(int file, BytesView bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure("writing", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

// Beside its place first: nobody sees half of it, also after a power cut.
bool write_whole(const std::string& path, BytesView bytes) {
  std::string aside = fmt::format("{}.part-{}", path, ::getpid());
  Fd file(::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  bool written = file && write_all(file.get(), bytes) && ::fsync(file.get()) == 0 &&
                 ::rename(aside.c_str(), path.c_str()) == 0;
  if (file && !written) ::unlink(aside.c_str());
  return written;
}

// What stands in the note beside a whole file; nothing when it cannot be read.
std::optional<std::string> checksum(int file) {
  auto block = std::make_unique_for_overwrite<std::uint8_t[]>(kCheckedAtOnce);
  auto state = std::make_unique<XXH3_state_t>();
  XXH3_64bits_reset(state.get());
  std::uint64_t length = 0;
  while (true) {
    ssize_t count = ::read(file, block.get(), kCheckedAtOnce);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) return check_text(length, XXH3_64bits_digest(state.get()));
    length += static_cast<std::uint64_t>(count);
    XXH3_64bits_update(state.get(), block.get(), static_cast<std::size_t>(count));
  }
}

// The folder is for this user alone; its parents are as they usually are.
Result<void> make_folder(const fs::path& path) {
  std::error_code problem;
  fs::create_directories(path.parent_path(), problem);
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return system_failure(fmt::format("making {}", path.string()), errno);
}

}  // namespace

Result<CompileCache> CompileCache::open(std::string folder) {
  struct stat info{};
  if (::stat(folder.c_str(), &info) != 0) {
    TRY_VOID(make_folder(folder));
    if (::stat(folder.c_str(), &info) != 0) {
      return system_failure(fmt::format("reading {}", folder), errno);
    }
  }
  if (!S_ISDIR(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 0077) != 0) {
    return failure(Errc::kDenied,
                   fmt::format("{} holds compiled programs and must be a folder of this user's "
                               "with mode 0700",
                               folder));
  }
  return CompileCache(std::move(folder));
}

std::optional<std::string> CompileCache::known_digest(std::string_view stamp) const {
  std::string path = fmt::format("{}/source-{}", folder_, stamp);
  std::optional<std::string> text = read_note(path);
  auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (!text || text->size() != kDigestLength || !std::ranges::all_of(*text, is_hex)) {
    return std::nullopt;
  }
  touch(path);
  return text;
}

void CompileCache::remember(std::string_view stamp, std::string_view digest) const {
  write_whole(fmt::format("{}/source-{}", folder_, stamp), as_bytes(digest));
}

Result<std::optional<std::string>> CompileCache::find(std::string_view engine,
                                                      std::string_view digest) const {
  std::string path = path_of(engine, digest);
  std::optional<std::string> noted = read_note(check_path(path));
  Fd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info{};
  if (!noted || !file || ::fstat(file.get(), &info) != 0) return std::nullopt;
  if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 0022) != 0) {
    return std::nullopt;
  }
  std::optional<std::string> found = checksum(file.get());
  if (!found) return std::nullopt;
  if (*found != *noted) {
    // Whoever looks again finds nothing.
    ::unlink(check_path(path).c_str());
    return failure(Errc::kCorrupt, fmt::format("{} is damaged: it is made again", path));
  }
  touch(path);
  touch(check_path(path));
  return path;
}

void CompileCache::store(std::string_view engine, std::string_view digest,
                         BytesView artefact) const {
  std::string path = path_of(engine, digest);
  ::unlink(check_path(path).c_str());
  if (write_whole(path, artefact)) {
    std::uint64_t sum = XXH3_64bits(artefact.data(), artefact.size());
    write_whole(check_path(path), as_bytes(check_text(artefact.size(), sum)));
  }
  evict(digest);
}

std::string CompileCache::path_of(std::string_view engine, std::string_view digest) const {
  return fmt::format("{}/{}-{}.cwasm", folder_, digest, engine);
}

// Removes what was not used for longest, but nothing of `keep`, until the bounds hold.
void CompileCache::evict(std::string_view keep) const {
  struct Entry {
    std::pair<std::int64_t, std::int64_t> used;
    std::uint64_t size;
    fs::path path;
  };
  std::vector<Entry> entries;
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator each(folder_, error), end; !error && each != end;
       each.increment(error)) {
    struct stat info{};
    if (::lstat(each->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    entries.push_back({{info.st_mtim.tv_sec, info.st_mtim.tv_nsec},
                       static_cast<std::uint64_t>(info.st_size),
                       each->path()});
    bytes += entries.back().size;
  }
  std::size_t count = entries.size();
  if (bytes <= kBytesMax && count <= kFilesMax) return;
  std::ranges::sort(entries, {}, &Entry::used);
  for (const Entry& entry : entries) {
    if (bytes <= kBytesMax && count <= kFilesMax) break;
    if (entry.path.filename().string().starts_with(keep)) continue;
    if (::unlink(entry.path.c_str()) != 0) continue;
    bytes -= entry.size;
    --count;
  }
}

}  // namespace weft
