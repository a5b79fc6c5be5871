#include "node/library/module_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/check.h"
#include "base/whole_file.h"

namespace weft::node::library {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

std::int64_t ns_of(const timespec& time) {
  return std::int64_t{time.tv_sec} * kSecondNs + time.tv_nsec;
}

std::uint64_t place_of(std::size_t index) {
  return std::uint64_t{index} * kChunkBytes;
}

// The first chunk from `index` on that the disk has data in; `count` where there is none.
std::size_t next_with_data(int file, std::size_t index, std::size_t count) {
  off_t data = ::lseek(file, static_cast<off_t>(place_of(index)), SEEK_DATA);
  if (data >= 0) return std::max(index, static_cast<std::size_t>(data) / kChunkBytes);
  // Where a file system knows of no holes, everything is data.
  return errno == ENXIO ? count : index;
}

}  // namespace

ModuleFile::ModuleFile(std::filesystem::path folder, ChunkList list, State state)
    : part_path_(place(folder, list.name(), ".part")),
      whole_path_(place(folder, list.name(), ".wasm")),
      list_(std::move(list)),
      whole_(state == State::kWhole),
      known_(state != State::kPart),
      bits_(list_.count()) {
  if (whole_) bits_.set_all();
}

std::filesystem::path ModuleFile::place(const std::filesystem::path& folder, const Hash& name,
                                        std::string_view ending) {
  return folder / (name.text() + std::string(ending));
}

Result<Fd> ModuleFile::open(int flags) const {
  Fd file(::open(path().c_str(), flags | O_CLOEXEC | O_NOFOLLOW, kFileMode));
  if (file) return file;
  if (errno == ENOENT) {
    return failure(Errc::kNotFound, fmt::format("module {} is not here", list_.name().text()));
  }
  return disk_failure(fmt::format("{}: opening", path().string()), errno);
}

Result<void> ModuleFile::create() const {
  TRY(auto file, open(O_WRONLY | O_CREAT | O_TRUNC));
  auto size = static_cast<off_t>(list_.size());
  // A full disk is told of now, not in the middle of a transfer.
  if (::fallocate(file.get(), 0, 0, size) == 0) return {};
  bool cannot = errno == EOPNOTSUPP || errno == ENOSYS;
  if (cannot && ::ftruncate(file.get(), size) == 0) return {};
  auto failed = disk_failure(fmt::format("{}: room for {} bytes", path().string(), size), errno);
  ::unlink(path().c_str());
  return failed;
}

bool ModuleFile::chunk_is_good(int file, std::size_t index, std::span<std::uint8_t> room) const {
  auto chunk = room.first(list_.chunk_size(index));
  auto count = read_at(file, chunk, place_of(index));
  return count && *count == chunk.size() && list_.verify(index, chunk).has_value();
}

Result<void> ModuleFile::look_through(int file) {
  auto room = std::make_unique_for_overwrite<std::uint8_t[]>(kChunkBytes);
  bits_ = ChunkBits(list_.count());
  for (std::size_t index = 0; index < list_.count(); ++index) {
    if (!whole_) index = next_with_data(file, index, list_.count());
    if (index == list_.count()) break;
    if (chunk_is_good(file, index, {room.get(), kChunkBytes})) bits_.set(index);
  }
  known_ = true;
  return {};
}

Result<const ChunkBits*> ModuleFile::bits() {
  if (known_) return &bits_;
  TRY(auto file, open(O_RDWR));
  // Somebody may have cut it, or written behind its end.
  if (::ftruncate(file.get(), static_cast<off_t>(list_.size())) != 0) {
    return disk_failure(fmt::format("{}: its size", path().string()), errno);
  }
  TRY_VOID(look_through(file.get()));
  return &bits_;
}

Result<void> ModuleFile::write(std::size_t index, BytesView chunk) {
  CHECK(!whole_ && known_ && chunk.size() == list_.chunk_size(index));
  TRY(auto file, open(O_WRONLY));
  auto written = write_at(file.get(), chunk, place_of(index));
  if (!written) return std::unexpected(std::move(written).error().within(path().string()));
  bits_.set(index);
  return {};
}

Result<Bytes> ModuleFile::read(std::size_t index) {
  TRY(auto known, bits());
  if (index >= list_.count() || !known->has(index)) {
    return failure(Errc::kNotFound,
                   fmt::format("chunk {} of module {} is not here", index, list_.name().text()));
  }
  TRY(auto file, open(O_RDONLY));
  Bytes chunk(list_.chunk_size(index));
  if (chunk_is_good(file.get(), index, chunk)) return chunk;
  bits_.clear(index);
  verified_.reset();
  return failure(Errc::kCorrupt, fmt::format("{}: the disk has changed chunk {}; fetch it again",
                                             path().string(), index));
}

Result<ModuleFile::Looks> ModuleFile::looks_of(int file) {
  struct stat info{};
  if (::fstat(file, &info) != 0) return disk_failure("looking at a module", errno);
  return Looks{.device = info.st_dev,
               .inode = info.st_ino,
               .size = info.st_size,
               .modified_ns = ns_of(info.st_mtim),
               .changed_ns = ns_of(info.st_ctim)};
}

Result<void> ModuleFile::verify() {
  CHECK(whole_);
  TRY(auto file, open(O_RDONLY));
  TRY(auto looks, looks_of(file.get()));
  if (verified_ == looks) return {};
  verified_.reset();
  TRY_VOID(look_through(file.get()));
  TRY(auto after, looks_of(file.get()));
  bool longer = looks.size != static_cast<off_t>(list_.size());
  if (!bits_.all() || longer || after != looks) {
    return failure(Errc::kCorrupt,
                   fmt::format("{}: the disk has changed {} of its {} chunks{}; fetch it again",
                               path().string(), list_.count() - bits_.there(), list_.count(),
                               longer ? " and its size" : ""));
  }
  verified_ = looks;
  return {};
}

Result<void> ModuleFile::sync() const {
  return sync_path(path());
}

Result<void> ModuleFile::become_whole() {
  CHECK(!whole_ && bits_.all());
  if (::rename(part_path_.c_str(), whole_path_.c_str()) != 0) {
    return disk_failure(fmt::format("{}: renaming", part_path_.string()), errno);
  }
  whole_ = true;
  verified_.reset();
  return {};
}

Result<void> ModuleFile::become_part() {
  CHECK(whole_);
  auto size = static_cast<off_t>(list_.size());
  if (::truncate(whole_path_.c_str(), size) != 0 ||
      ::rename(whole_path_.c_str(), part_path_.c_str()) != 0) {
    return disk_failure(fmt::format("{}: renaming", whole_path_.string()), errno);
  }
  whole_ = false;
  verified_.reset();
  return {};
}

}  // namespace weft::node::library
