#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "capabilities/blobstore/container.h"

namespace weft::blobstore {

// What the memory store holds, in bytes: every body, also of objects that are only read any more,
// and something for each name.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  std::size_t bytes() const { return bytes_; }

 private:
  friend class MemoryShare;
  std::atomic<std::size_t> bytes_ = 0;
  const std::size_t bytes_max_;
};

// A part of the budget, given back with the object.
class MemoryShare {
 public:
  // The budget is shared by all shares: it outlives the store while somebody reads.
  explicit MemoryShare(std::shared_ptr<MemoryBudget> budget) : budget_(std::move(budget)) {}
  MemoryShare(MemoryShare&&) noexcept = default;
  MemoryShare& operator=(MemoryShare&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MemoryShare() {
    if (budget_ != nullptr) budget_->bytes_ -= bytes_;
  }

  // Fails with kFull and takes nothing when there is not as much.
  Result<void> take(std::size_t bytes);

 private:
  std::shared_ptr<MemoryBudget> budget_;
  std::size_t bytes_ = 0;
};

// An object's bytes. Not changed any more once others can see it.
struct MemoryObject {
  explicit MemoryObject(std::shared_ptr<MemoryBudget> budget) : share(std::move(budget)) {}

  std::vector<Bytes> parts;
  std::uint64_t size = 0;
  MemoryShare share;
};

struct MemoryContainer {
  struct Entry {
    // Shared with its copies, and with those who read it after it was replaced.
    std::shared_ptr<const MemoryObject> object;
    std::uint64_t created_at = 0;
    MemoryShare share;  // Of its name.
  };

  explicit MemoryContainer(std::shared_ptr<MemoryBudget> budget) : share(std::move(budget)) {}

  std::map<std::string, Entry, std::less<>> objects;
  std::uint64_t created_at = 0;
  MemoryShare share;
};

// Containers in this process's memory, gone with it: for tests and for what may be lost.
//
// One per process, shared by the stores of all loops, under one lock that is held for one
// operation.
class MemoryBlobs {
 public:
  static constexpr std::size_t kBytesMaxByDefault = 256 << 20;
  static constexpr std::size_t kNameCost = 256;

  explicit MemoryBlobs(std::size_t bytes_max = kBytesMaxByDefault)
      : budget(std::make_shared<MemoryBudget>(bytes_max)) {}

  const std::shared_ptr<MemoryBudget> budget;  // Shared with the objects, which may outlive it.
  std::mutex mutex;
  // Shared with the writers that were begun in it, which know by it whether it is still there.
  std::map<ContainerName, std::shared_ptr<MemoryContainer>> containers;
};

// Every operation finishes without waiting.
class MemoryStore final : public Store {
 public:
  // The containers are shared by the stores of all loops.
  explicit MemoryStore(std::shared_ptr<MemoryBlobs> blobs) : blobs_(std::move(blobs)) {}

  Task<void> create(Request request, ContainerName name) override;
  Task<std::unique_ptr<Container>> open(Request request, ContainerName name) override;
  Task<void> remove(Request request, ContainerName name) override;
  Task<bool> exists(Request request, ContainerName name) override;
  Task<void> copy(Request request, ObjectId from, ObjectId to) override;
  Task<void> move(Request request, ObjectId from, ObjectId to) override;

 private:
  enum class Source : std::uint8_t { kStays, kGoes };
  Result<void> put(const ObjectId& from, const ObjectId& to, Source source);

  std::shared_ptr<MemoryBlobs> blobs_;  // Shared with the containers, which may outlive it.
};

}  // namespace weft::blobstore
