#pragma once

#include <map>
#include <mutex>
#include <random>
#include <string>

#include "base/bytes.h"
#include "node/library/chunks.h"
#include "node/library/storage_meter.h"

namespace weft::node::library {

// A module of chance that a seed says.
inline Bytes some_module(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

inline BytesView chunk_of(BytesView module, const ChunkList& list, std::size_t index) {
  return module.subspan(index * kChunkBytes, list.chunk_size(index));
}

// Groups that may all have so much each.
class TestMeter : public StorageMeter {
 public:
  explicit TestMeter(std::uint64_t most = UINT64_MAX) : most_(most) {}

  Result<void> take(std::string_view group, std::uint64_t bytes) override {
    std::scoped_lock lock(mutex_);
    std::uint64_t& has = has_[std::string(group)];
    if (bytes > most_ || has > most_ - bytes) return failure(Errc::kLimit, "the quota is spent");
    has += bytes;
    return {};
  }
  void keep(std::string_view group, std::uint64_t bytes) override {
    std::scoped_lock lock(mutex_);
    has_[std::string(group)] += bytes;
  }
  void give_back(std::string_view group, std::uint64_t bytes) override {
    std::scoped_lock lock(mutex_);
    has_[std::string(group)] -= bytes;
  }
  std::uint64_t has(const std::string& group) {
    std::scoped_lock lock(mutex_);
    return has_[group];
  }

 private:
  const std::uint64_t most_;
  std::mutex mutex_;
  std::map<std::string, std::uint64_t> has_;
};

}  // namespace weft::node::library
