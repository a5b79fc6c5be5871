#include "capabilities/keyvalue/backend.h"

#include <algorithm>

#include "base/check.h"
#include "capabilities/keyvalue/drivers/lmdb.h"
#include "capabilities/keyvalue/drivers/memory.h"

namespace weft::keyvalue {
namespace {

class MemoryBackend final : public Backend {
 public:
  explicit MemoryBackend(std::size_t bytes_max)
      : database_(std::make_shared<MemoryDatabase>(bytes_max)) {}

  Result<void> open() override { return {}; }
  std::unique_ptr<Store> store(Loop&) override { return std::make_unique<MemoryStore>(database_); }

 private:
  // Shared with the stores, which may outlive the backend.
  std::shared_ptr<MemoryDatabase> database_;
};

class LmdbBackend final : public Backend {
 public:
  LmdbBackend(StateFolderOnDemand& state, lmdb::EnvironmentOptions options)
      : state_(state), options_(options) {}

  Result<void> open() override {
    if (database_ != nullptr) return {};
    TRY(auto folder, state_.subfolder("keyvalue"));
    TRY(database_, LmdbDatabase::open(folder, options_));
    return {};
  }
  std::unique_ptr<Store> store(Loop& loop) override {
    return std::make_unique<LmdbStore>(database_->view(loop));
  }

 private:
  StateFolderOnDemand& state_;
  const lmdb::EnvironmentOptions options_;
  std::shared_ptr<LmdbDatabase> database_;  // Shared with the loops' views.
};

}  // namespace

std::unique_ptr<Backend> memory_backend() {
  return memory_backend(MemoryDatabase::kBytesMaxByDefault);
}

std::unique_ptr<Backend> memory_backend(std::size_t bytes_max) {
  return std::make_unique<MemoryBackend>(bytes_max);
}

std::unique_ptr<Backend> lmdb_backend(StateFolderOnDemand& state) {
  return std::make_unique<LmdbBackend>(state, lmdb::EnvironmentOptions());
}

std::unique_ptr<Backend> bounded_lmdb_backend(StateFolderOnDemand& state, std::uint64_t bytes_max) {
  CHECK(bytes_max >= kFileBytesStep);
  lmdb::EnvironmentOptions options;
  // Whole pages, of any system.
  options.map_bytes_max = bytes_max - bytes_max % kFileBytesStep;
  options.map_bytes_at_first = std::min(options.map_bytes_at_first, options.map_bytes_max);
  return std::make_unique<LmdbBackend>(state, options);
}

}  // namespace weft::keyvalue
