#include "node/library/chunks.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/check.h"
#include "base/fd.h"
#include "base/whole_file.h"
#include "node/object/fields.h"

namespace weft::node::library {
namespace {

constexpr std::string_view kNamePrefix = "weft module 1\n";
constexpr std::size_t kSizeBytes = sizeof(std::uint64_t);

std::size_t chunks_of(std::uint64_t size) {
  return static_cast<std::size_t>((size + kChunkBytes - 1) / kChunkBytes);
}

Result<void> check_size(std::uint64_t size) {
  if (size == 0) return failure(Errc::kInvalid, "a module has at least one byte");
  if (size <= kModuleBytesMax) return {};
  return failure(Errc::kLimit,
                 fmt::format("a module has at most {} bytes, this one {}", kModuleBytesMax, size));
}

std::array<std::uint8_t, kSizeBytes> size_bytes(std::uint64_t size) {
  Bytes bytes;
  append_u64(bytes, size);
  std::array<std::uint8_t, kSizeBytes> out{};
  std::ranges::copy(bytes, out.begin());
  return out;
}

}  // namespace

ChunkList::ChunkList(std::uint64_t size, std::vector<Hash> hashes)
    : size_(size), hashes_(std::move(hashes)) {
  CHECK(hashes_.size() == chunks_of(size_));
  Hasher hasher;
  hasher.add(as_bytes(kNamePrefix));
  hasher.add(size_bytes(size_));
  for (const Hash& hash : hashes_) hasher.add(hash.view());
  name_ = hasher.finish();
}

Result<ChunkList> ChunkList::of(BytesView module) {
  TRY_VOID(check_size(module.size()));
  std::vector<Hash> hashes;
  hashes.reserve(chunks_of(module.size()));
  for (std::size_t at = 0; at < module.size(); at += kChunkBytes) {
    hashes.push_back(Hash::of(module.subspan(at, std::min(kChunkBytes, module.size() - at))));
  }
  return ChunkList(module.size(), std::move(hashes));
}

Result<ChunkList> ChunkList::of_file(const std::string& path) {
  // Never waits for the other end of a pipe that stands in the place of a file.
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info{};
  if (!file || ::fstat(file.get(), &info) != 0) {
    int problem = errno;
    std::string doing = fmt::format("{}: opening", path);
    if (problem == ENOENT) return failure(Errc::kNotFound, fmt::format("{} is not there", path));
    return disk_failure(doing, problem);
  }
  if (!S_ISREG(info.st_mode)) return failure(Errc::kInvalid, fmt::format("{} is no file", path));
  auto size = static_cast<std::uint64_t>(info.st_size);
  if (auto fits = check_size(size); !fits) {
    return std::unexpected(std::move(fits).error().within(path));
  }
  auto chunk = std::make_unique_for_overwrite<std::uint8_t[]>(kChunkBytes);
  std::vector<Hash> hashes;
  hashes.reserve(chunks_of(size));
  for (std::uint64_t at = 0; at < size; at += kChunkBytes) {
    auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kChunkBytes, size - at));
    TRY(auto count, read_at(file.get(), {chunk.get(), wanted}, at));
    if (count != wanted) {
      return failure(Errc::kConflict, fmt::format("{} became shorter while it was read", path));
    }
    hashes.push_back(Hash::of({chunk.get(), count}));
  }
  return ChunkList(size, std::move(hashes));
}

std::size_t ChunkList::encoded_bytes(BytesView bytes) {
  if (bytes.size() < kSizeBytes) return bytes.size();
  std::uint64_t size = read_u64(bytes.first(kSizeBytes));
  if (size > kModuleBytesMax) return bytes.size();
  return std::min(bytes.size(), kSizeBytes + chunks_of(size) * Hash::kBytes);
}

Result<ChunkList> ChunkList::decode(BytesView bytes, const Hash& name) {
  if (bytes.size() < kSizeBytes) return failure(Errc::kInvalid, "a module's list is cut off");
  std::uint64_t size = read_u64(bytes.first(kSizeBytes));
  TRY_VOID(check_size(size));
  if (bytes.size() != kSizeBytes + chunks_of(size) * Hash::kBytes) {
    return failure(Errc::kInvalid, fmt::format("the list of a module of {} bytes has not {} bytes",
                                               size, bytes.size()));
  }
  Hasher hasher;
  hasher.add(as_bytes(kNamePrefix));
  hasher.add(bytes);
  if (hasher.finish() != name) {
    return failure(Errc::kCorrupt, fmt::format("this is not the list of module {}", name.text()));
  }
  std::vector<Hash> hashes;
  hashes.reserve(chunks_of(size));
  for (std::size_t at = kSizeBytes; at < bytes.size(); at += Hash::kBytes) {
    hashes.push_back(Hash::from(bytes.subspan(at, Hash::kBytes)));
  }
  return ChunkList(size, std::move(hashes));
}

Bytes ChunkList::encode() const {
  Bytes out;
  out.reserve(kSizeBytes + hashes_.size() * Hash::kBytes);
  append_u64(out, size_);
  for (const Hash& hash : hashes_) out.insert(out.end(), hash.bytes.begin(), hash.bytes.end());
  return out;
}

std::size_t ChunkList::chunk_size(std::size_t index) const {
  CHECK(index < count());
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(kChunkBytes, size_ - std::uint64_t{index} * kChunkBytes));
}

Result<void> ChunkList::verify(std::size_t index, BytesView chunk) const {
  if (index >= count()) {
    return failure(Errc::kInvalid, fmt::format("there is no chunk {} in a module of {}: {}", index,
                                               count(), name_.text()));
  }
  // The length first: nothing is hashed that cannot be it.
  if (chunk.size() == chunk_size(index) && Hash::of(chunk) == hashes_[index]) return {};
  return failure(Errc::kCorrupt,
                 fmt::format("these bytes are not chunk {} of module {}", index, name_.text()));
}

Result<ChunkBits> ChunkBits::decode(BytesView bytes, std::size_t count) {
  ChunkBits bits(count);
  if (bytes.size() != bits.bytes_.size()) {
    return failure(Errc::kInvalid, fmt::format("{} chunks have {} bytes of bits, these are {}",
                                               count, bits.bytes_.size(), bytes.size()));
  }
  if (count % 8 != 0 && (bytes.back() >> (count % 8)) != 0) {
    return failure(Errc::kInvalid, "a bit is set for a chunk that is none");
  }
  for (std::size_t index = 0; index < count; ++index) {
    if ((bytes[index / 8] >> (index % 8) & 1) != 0) bits.set(index);
  }
  return bits;
}

void ChunkBits::set(std::size_t index) {
  CHECK(index < count_);
  if (has(index)) return;
  bytes_[index / 8] |= static_cast<std::uint8_t>(1 << (index % 8));
  ++there_;
}

void ChunkBits::clear(std::size_t index) {
  CHECK(index < count_);
  if (!has(index)) return;
  bytes_[index / 8] &= static_cast<std::uint8_t>(~(1 << (index % 8)));
  --there_;
}

void ChunkBits::set_all() {
  for (std::size_t index = 0; index < count_; ++index) set(index);
}

}  // namespace weft::node::library
