#include "capabilities/blobstore/backend.h"

#include "capabilities/blobstore/drivers/files.h"
#include "capabilities/blobstore/drivers/memory.h"

namespace weft::blobstore {
namespace {

class MemoryBackend final : public Backend {
 public:
  explicit MemoryBackend(std::size_t bytes_max)
      : blobs_(std::make_shared<MemoryBlobs>(bytes_max)) {}

  Result<void> open() override { return {}; }
  std::unique_ptr<Store> store(Loop&) override { return std::make_unique<MemoryStore>(blobs_); }

 private:
  // Shared with the stores, which may outlive the backend.
  std::shared_ptr<MemoryBlobs> blobs_;
};

class FilesBackend final : public Backend {
 public:
  explicit FilesBackend(StateFolderOnDemand& state) : state_(state) {}
  FilesBackend(const FilesBackend&) = delete;
  // The loops that answers go to are still there.
  ~FilesBackend() override {
    if (files_ != nullptr) files_->stop();
  }

  Result<void> open() override {
    if (files_ != nullptr) return {};
    TRY(auto folder, state_.subfolder("blobs"));
    TRY(files_, BlobFiles::open(folder));
    return {};
  }
  std::unique_ptr<Store> store(Loop&) override { return std::make_unique<FileStore>(files_); }

 private:
  StateFolderOnDemand& state_;
  std::shared_ptr<BlobFiles> files_;  // Shared with the stores, which may outlive the backend.
};

}  // namespace

std::unique_ptr<Backend> memory_backend() {
  return memory_backend(MemoryBlobs::kBytesMaxByDefault);
}

std::unique_ptr<Backend> memory_backend(std::size_t bytes_max) {
  return std::make_unique<MemoryBackend>(bytes_max);
}

std::unique_ptr<Backend> files_backend(StateFolderOnDemand& state) {
  return std::make_unique<FilesBackend>(state);
}

}  // namespace weft::blobstore
