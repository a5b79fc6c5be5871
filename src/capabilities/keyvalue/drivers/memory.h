#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "capabilities/keyvalue/bucket.h"

namespace weft::keyvalue {

// Buckets in this process's memory, gone with it: for tests and for what may be lost.
//
// One per process, shared by the stores of all loops, under one lock that is held for one
// operation.
class MemoryDatabase {
 public:
  struct Entry {
    Bytes value;
    std::uint64_t version = 0;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;
  static constexpr std::size_t kBytesMaxByDefault = 256 << 20;

  // Keys and values together may have so many bytes; a write beyond that fails with kFull.
  explicit MemoryDatabase(std::size_t bytes_max = kBytesMaxByDefault) : bytes_max_(bytes_max) {}

 private:
  friend class MemoryBucket;
  Result<void> full() const;
  Result<void> check_room(const std::vector<Pair>& pairs) const;
  Result<void> put(Entries& entries, std::string_view key, BytesView value);
  void erase(Entries& entries, std::string_view key);

  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Entries> buckets_;
  std::uint64_t last_version_ = 0;
  std::size_t bytes_ = 0;
  const std::size_t bytes_max_;
};

// Every operation finishes inline.
class MemoryStore : public Store {
 public:
  // The database is shared by the stores of all loops.
  explicit MemoryStore(std::shared_ptr<MemoryDatabase> database) : database_(std::move(database)) {}

  Answer<std::unique_ptr<Bucket>> open(Request request, BucketName name) override;

 private:
  std::shared_ptr<MemoryDatabase> database_;  // Shared with the buckets, which may outlive it.
};

}  // namespace weft::keyvalue
