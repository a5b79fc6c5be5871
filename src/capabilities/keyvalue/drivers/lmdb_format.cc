#include "capabilities/keyvalue/drivers/lmdb_format.h"

#include <fmt/core.h>
#include <openssl/sha.h>

#include <bit>
#include <cstring>

namespace weft::keyvalue::lmdb {
namespace {

static_assert(std::endian::native == std::endian::little, "records are copied as they lie");
static_assert(kHashBytes == SHA256_DIGEST_LENGTH);

constexpr std::size_t kLengthBytes = 2;

bool is_long(BytesView stored_key) {
  return stored_key.size() > kBucketBytes + kPlainKeyBytes;
}

std::unexpected<Error> damaged(std::size_t bytes) {
  return failure(Errc::kCorrupt,
                 fmt::format("an entry of {} bytes in the key-value file is damaged", bytes));
}

}  // namespace

StoredKey::StoredKey(std::uint32_t bucket, std::string_view key) {
  for (std::size_t i = 0; i < kBucketBytes; ++i) {
    bytes_[i] = static_cast<std::uint8_t>(bucket >> (8 * (kBucketBytes - 1 - i)));
  }
  std::size_t plain = std::min(key.size(), kPlainKeyBytes);
  if (plain > 0) std::memcpy(bytes_.data() + kBucketBytes, key.data(), plain);
  size_ = kBucketBytes + plain;
  if (key.size() > kPlainKeyBytes) {
    SHA256(as_bytes(key).data(), key.size(), bytes_.data() + size_);
    size_ += kHashBytes;
  }
}

Result<Record> read_record(BytesView stored_key, BytesView bytes) {
  if (bytes.size() < kVersionBytes) return damaged(bytes.size());
  Record record{};
  std::memcpy(&record.version, bytes.data(), kVersionBytes);
  std::size_t at = kVersionBytes;
  if (is_long(stored_key)) {
    std::uint16_t length = 0;
    if (bytes.size() < at + kLengthBytes) return damaged(bytes.size());
    std::memcpy(&length, bytes.data() + at, kLengthBytes);
    at += kLengthBytes;
    if (length <= kPlainKeyBytes || bytes.size() < at + length) return damaged(bytes.size());
    record.long_key = as_text(bytes.subspan(at, length));
    at += length;
  }
  record.value = bytes.subspan(at);
  return record;
}

std::string_view entry_key(BytesView stored_key, const Record& record) {
  return is_long(stored_key) ? record.long_key : as_text(stored_key.subspan(kBucketBytes));
}

std::size_t record_bytes(std::string_view key, BytesView value) {
  std::size_t long_key = key.size() > kPlainKeyBytes ? kLengthBytes + key.size() : 0;
  return kVersionBytes + long_key + value.size();
}

void write_record(std::uint8_t* to, std::uint64_t version, std::string_view key, BytesView value) {
  std::memcpy(to, &version, kVersionBytes);
  to += kVersionBytes;
  if (key.size() > kPlainKeyBytes) {
    auto length = static_cast<std::uint16_t>(key.size());
    std::memcpy(to, &length, kLengthBytes);
    std::memcpy(to + kLengthBytes, key.data(), key.size());
    to += kLengthBytes + key.size();
  }
  if (!value.empty()) std::memcpy(to, value.data(), value.size());
}

std::string bucket_entry(BucketName name) {
  std::string entry;
  entry.push_back(static_cast<char>(name.owner.size() & 0xff));
  entry.push_back(static_cast<char>(name.owner.size() >> 8));
  entry.append(name.owner);
  entry.append(name.name);
  return entry;
}

}  // namespace weft::keyvalue::lmdb
