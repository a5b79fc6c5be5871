#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "node/object/hash.h"

namespace weft::node::library {

inline constexpr std::size_t kChunkBytes = 65'536;
inline constexpr std::uint64_t kModuleBytesMax = 256 * 1024 * 1024;
inline constexpr std::size_t kChunksMax = kModuleBytesMax / kChunkBytes;
// An encoded list, at most.
inline constexpr std::size_t kListBytesMax = sizeof(std::uint64_t) + kChunksMax * Hash::kBytes;

// The size of a module and the hash of each of its chunks. Every chunk has kChunkBytes but the
// last, which has what is left. A value; there is none of an empty module.
class ChunkList {
 public:
  // kInvalid for no bytes, kLimit for more than kModuleBytesMax.
  static Result<ChunkList> of(BytesView module);
  // The same of a file, which is read once. Blocks.
  static Result<ChunkList> of_file(const std::string& path);
  // An encoded list that somebody sent for the module of this name. kInvalid when it is no list,
  // kCorrupt when it is that of another module. Allocates nothing before it is proven.
  static Result<ChunkList> decode(BytesView bytes, const Hash& name);

  // How many of the bytes that begin with an encoded list are the list's, by what it claims.
  static std::size_t encoded_bytes(BytesView bytes);

  Bytes encode() const;
  // The module's name, computed once.
  const Hash& name() const { return name_; }
  std::uint64_t size() const { return size_; }
  std::size_t count() const { return hashes_.size(); }
  // Of the chunk of that index, which is below `count`.
  std::size_t chunk_size(std::size_t index) const;
  const Hash& hash(std::size_t index) const { return hashes_[index]; }
  // kInvalid where there is no chunk of that index, kCorrupt where these bytes are not it.
  Result<void> verify(std::size_t index, BytesView chunk) const;

  friend bool operator==(const ChunkList&, const ChunkList&) = default;

 private:
  ChunkList(std::uint64_t size, std::vector<Hash> hashes);

  std::uint64_t size_;
  std::vector<Hash> hashes_;
  Hash name_;
};

// The name of the module that has this list.
inline const Hash& module_name(const ChunkList& list) {
  return list.name();
}

// A bit for each chunk of a module. A value.
class ChunkBits {
 public:
  ChunkBits() = default;
  explicit ChunkBits(std::size_t count) : bytes_((count + 7) / 8), count_(count) {}
  // What `bytes` said, sent by others. kInvalid where they are not as many as `count` takes, or
  // where a bit behind it is set.
  static Result<ChunkBits> decode(BytesView bytes, std::size_t count);

  bool has(std::size_t index) const { return (bytes_[index / 8] >> (index % 8) & 1) != 0; }
  void set(std::size_t index);
  void clear(std::size_t index);
  void set_all();

  std::size_t count() const { return count_; }
  std::size_t there() const { return there_; }
  bool all() const { return there_ == count_; }
  // As the protocol sends them: the lowest bit of the first byte is chunk 0.
  BytesView view() const { return bytes_; }

  friend bool operator==(const ChunkBits&, const ChunkBits&) = default;

 private:
  Bytes bytes_;
  std::size_t count_ = 0;
  std::size_t there_ = 0;
};

}  // namespace weft::node::library
