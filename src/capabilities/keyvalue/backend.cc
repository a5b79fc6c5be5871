#include "capabilities/keyvalue/backend.h"

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
  explicit LmdbBackend(StateFolderOnDemand& state) : state_(state) {}

  Result<void> open() override {
    if (database_ != nullptr) return {};
    TRY(auto folder, state_.subfolder("keyvalue"));
    TRY(database_, LmdbDatabase::open(folder));
    return {};
  }
  std::unique_ptr<Store> store(Loop& loop) override {
    return std::make_unique<LmdbStore>(database_->view(loop));
  }

 private:
  StateFolderOnDemand& state_;
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
  return std::make_unique<LmdbBackend>(state);
}

}  // namespace weft::keyvalue
