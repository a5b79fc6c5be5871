#pragma once

#include <filesystem>
#include <memory>

#include "capabilities/blobstore/container.h"
#include "capabilities/blobstore/drivers/file_disk.h"
#include "io/pool.h"

namespace weft::blobstore {

// What the stores of all loops share: the disk, and the threads that wait for it.
//
// One per process and folder. `stop` comes before the loops go; what still holds it then gets
// errors.
class BlobFiles {
 public:
  static constexpr std::size_t kThreads = 4;

  static Result<std::shared_ptr<BlobFiles>> open(const std::filesystem::path& folder);

  const std::shared_ptr<FileDisk>& disk() const { return disk_; }
  Pool& pool() { return pool_; }
  // Finishes what waits.
  void stop() { pool_.stop(); }

 private:
  explicit BlobFiles(std::shared_ptr<FileDisk> disk)
      : disk_(std::move(disk)), pool_({.threads = kThreads}) {}

  std::shared_ptr<FileDisk> disk_;  // Shared with the work that waits for a thread.
  Pool pool_;
};

class FileStore final : public Store {
 public:
  // The files are shared by the stores of all loops.
  explicit FileStore(std::shared_ptr<BlobFiles> files) : files_(std::move(files)) {}

  Task<void> create(Request request, ContainerName name) override;
  Task<std::unique_ptr<Container>> open(Request request, ContainerName name) override;
  Task<void> remove(Request request, ContainerName name) override;
  Task<bool> exists(Request request, ContainerName name) override;
  Task<void> copy(Request request, ObjectId from, ObjectId to) override;
  Task<void> move(Request request, ObjectId from, ObjectId to) override;

 private:
  std::shared_ptr<BlobFiles> files_;  // Shared with the containers, which may outlive it.
};

}  // namespace weft::blobstore
