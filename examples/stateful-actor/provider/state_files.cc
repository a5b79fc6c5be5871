#include "provider/state_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "base/sha256.h"

namespace example {

namespace fs = std::filesystem;
using weft::BytesView;
using weft::Errc;
using weft::failure;
using weft::Fd;
using weft::Result;
using weft::system_failure;

namespace {

constexpr std::string_view kPart = ".part";
constexpr std::size_t kHashDigits = 64;

}  // namespace

bool is_hash(std::string_view text) {
  return text.size() == kHashDigits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

Result<Mapping> Mapping::of(const Fd& file, std::string_view path) {
  struct stat about{};
  if (fstat(file.get(), &about) != 0) return system_failure(path, errno);
  auto size = static_cast<std::size_t>(about.st_size);
  if (size == 0) return Mapping(BytesView());
  void* start = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (start == MAP_FAILED) return system_failure(fmt::format("mapping {}", path), errno);
  return Mapping(BytesView(static_cast<const std::uint8_t*>(start), size));
}

Mapping::~Mapping() {
  // mmap gave these bytes, and munmap takes them as what may be written.
  if (!bytes_.empty()) munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
}

Result<StateFiles> StateFiles::open(std::string folder, std::uint64_t bytes_max) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return failure(Errc::kIo, fmt::format("making {}: {}", folder, error.message()));
  StateFiles files(std::move(folder), bytes_max);
  files.sweep();
  return files;
}

std::string StateFiles::path(std::string_view hash) const {
  return fmt::format("{}/{}", folder_, hash);
}

// Whoever writes a part holds its lock, and loses it with its life.
void StateFiles::sweep() const {
  std::error_code ignored;
  for (const auto& each : fs::directory_iterator(folder_, ignored)) {
    if (each.path().extension() != kPart) continue;
    Fd file(::open(each.path().c_str(), O_RDWR | O_CLOEXEC));
    if (file && flock(file.get(), LOCK_EX | LOCK_NB) == 0) unlink(each.path().c_str());
  }
}

Result<std::uint64_t> StateFiles::size(std::string_view hash) const {
  struct stat about{};
  std::string at = path(hash);
  if (stat(at.c_str(), &about) == 0) return static_cast<std::uint64_t>(about.st_size);
  if (errno == ENOENT) return failure(Errc::kNotFound, fmt::format("{} is not there", at));
  return system_failure(at, errno);
}

Result<Mapping> StateFiles::map(std::string_view hash) const {
  std::string at = path(hash);
  Fd file(::open(at.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return failure(Errc::kNotFound, fmt::format("{} is gone", at));
  if (!file) return system_failure(at, errno);
  TRY(Mapping mapping, Mapping::of(file, at));
  if (weft::sha256_hex(mapping.bytes()) != hash) {
    unlink(at.c_str());
    return failure(Errc::kCorrupt, fmt::format("{} was damaged: it is removed", at));
  }
  futimens(file.get(), nullptr);  // Used now: see trim.
  return mapping;
}

StateFiles::Part::~Part() {
  if (file_) unlink(path_.c_str());
}

Result<void> StateFiles::Part::write(BytesView bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure(fmt::format("writing {}", path_), errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<StateFiles::Part> StateFiles::begin() const {
  static std::atomic<unsigned> number = 0;
  std::string at = fmt::format("{}/{}-{}{}", folder_, getpid(), ++number, kPart);
  Fd file(::open(at.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return system_failure(fmt::format("making {}", at), errno);
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) return system_failure(at, errno);
  return Part(std::move(file), std::move(at));
}

Result<void> StateFiles::keep(Part part, std::string_view hash) const {
  {
    TRY(Mapping written, Mapping::of(part.file_, part.path_));
    std::string has = weft::sha256_hex(written.bytes());
    if (has != hash) {
      return failure(Errc::kCorrupt, fmt::format("its hash is {}, and not {}", has, hash));
    }
  }
  if (fsync(part.file_.get()) != 0) return system_failure(part.path_, errno);
  std::string at = path(hash);
  if (rename(part.path_.c_str(), at.c_str()) != 0) return system_failure(at, errno);
  part.file_.reset();
  // The name too has to outlive a cut of the power.
  Fd folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || fsync(folder.get()) != 0) return system_failure(folder_, errno);
  trim(hash);
  return {};
}

void StateFiles::trim(std::string_view keeping) const {
  struct Found {
    fs::path path;
    fs::file_time_type used;
    std::uint64_t bytes;
  };
  std::vector<Found> found;
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& each : fs::directory_iterator(folder_, error)) {
    if (!is_hash(each.path().filename().native())) continue;
    // What another process removes meanwhile has no size any more.
    std::uint64_t size = each.file_size(error);
    if (error) continue;
    found.push_back({each.path(), each.last_write_time(error), size});
    bytes += size;
  }
  std::ranges::sort(found, {}, &Found::used);
  for (const Found& each : found) {
    if (bytes <= bytes_max_) break;
    if (each.path.filename() == keeping) continue;
    if (unlink(each.path.c_str()) == 0) bytes -= each.bytes;
  }
}

}  // namespace example
