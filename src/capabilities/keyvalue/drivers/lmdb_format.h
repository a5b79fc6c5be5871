#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "capabilities/keyvalue/bucket.h"

// How entries lie in the LMDB file. Changing anything here is a new format of the state folder.
//
// Table `buckets`: [owner's length, 2 bytes][owner][name] -> bucket number, 4 bytes.
// Table `entries`: stored key -> record.
//   stored key, of a key of at most kPlainKeyBytes: [bucket, 4 bytes, big endian][key]
//   stored key, of a longer one: [bucket][the key's first kPlainKeyBytes][SHA-256 of the key]
//   record: [version, 8 bytes][the whole key, for a longer one: length, 2 bytes, and bytes][value]
// Numbers are little endian but for the bucket in front of a key, which keeps a bucket's entries
// together. Keys are in byte order, but those that agree in their first kPlainKeyBytes bytes are in
// the order of their hashes.
namespace weft::keyvalue::lmdb {

inline constexpr std::size_t kPlainKeyBytes = 470;
inline constexpr std::size_t kHashBytes = 32;
inline constexpr std::size_t kBucketBytes = 4;
inline constexpr std::size_t kVersionBytes = 8;
// LMDB's own bound as Debian builds it is 511.
inline constexpr std::size_t kStoredKeyBytesMax = kBucketBytes + kPlainKeyBytes + kHashBytes;

// A key as the table `entries` has it. A value, made on the stack for each operation.
class StoredKey {
 public:
  StoredKey(std::uint32_t bucket, std::string_view key);

  BytesView view() const { return {bytes_.data(), size_}; }

 private:
  std::array<std::uint8_t, kStoredKeyBytesMax> bytes_;
  std::size_t size_;
};

// A record taken apart, borrowed from the map.
struct Record {
  std::uint64_t version;
  std::string_view long_key;  // empty where the stored key says it all
  BytesView value;
};

// Fails with kCorrupt when the bytes are not what `write_record` makes for that stored key.
Result<Record> read_record(BytesView stored_key, BytesView bytes);
// The key that an entry is about.
std::string_view entry_key(BytesView stored_key, const Record& record);

std::size_t record_bytes(std::string_view key, BytesView value);
// Writes a record into `to`, which has record_bytes of room.
void write_record(std::uint8_t* to, std::uint64_t version, std::string_view key, BytesView value);

std::string bucket_entry(BucketName name);

}  // namespace weft::keyvalue::lmdb
