#include "capabilities/keyvalue/keyvalue.h"

#include <array>

#include "base/check.h"
#include "capabilities/keyvalue/drivers/lmdb.h"
#include "capabilities/keyvalue/drivers/memory.h"
#include "capabilities/keyvalue/host.h"
#include "wit/wasi/keyvalue_0_2_0_draft/atomics.h"
#include "wit/wasi/keyvalue_0_2_0_draft/batch.h"
#include "wit/wasi/keyvalue_0_2_0_draft/store.h"
#include "wit/wasi/keyvalue_0_2_0_draft2/atomics.h"
#include "wit/wasi/keyvalue_0_2_0_draft2/batch.h"
#include "wit/wasi/keyvalue_0_2_0_draft2/store.h"
#include "wit/weft/keyvalue_rows_0_2_0_draft2/batch.h"

namespace weft::keyvalue {
namespace {

namespace draft = ::weft::wit::wasi::keyvalue_0_2_0_draft;
namespace draft2 = ::weft::wit::wasi::keyvalue_0_2_0_draft2;
namespace rows = ::weft::wit::weft::keyvalue_rows_0_2_0_draft2;

// The second shape of batch has a package of its own here, and goes by the first one's name.
constexpr std::array<Offer, 7> kOffers{{{draft::store::kName, draft::store::kFunctions},
                                        {draft::atomics::kName, draft::atomics::kFunctions},
                                        {draft::batch::kName, draft::batch::kFunctions},
                                        {draft2::store::kName, draft2::store::kFunctions},
                                        {draft2::atomics::kName, draft2::atomics::kFunctions},
                                        {draft2::batch::kName, draft2::batch::kFunctions},
                                        {draft2::batch::kName, rows::batch::kFunctions}}};
using Make = std::unique_ptr<Provider> (*)(std::unique_ptr<Store>, const Use&);
constexpr std::array<Make, kOffers.size()> kMakers = {
    draft_store,    draft_atomics, draft_batch,      draft2_store,
    draft2_atomics, draft2_batch,  draft2_batch_rows};

class MemoryBackend final : public Backend {
 public:
  Result<void> open() override { return {}; }
  std::unique_ptr<Store> store(Loop&) override { return std::make_unique<MemoryStore>(database_); }

 private:
  // Shared with the stores, which may outlive the backend.
  std::shared_ptr<MemoryDatabase> database_ = std::make_shared<MemoryDatabase>();
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
  return std::make_unique<MemoryBackend>();
}

std::unique_ptr<Backend> lmdb_backend(StateFolderOnDemand& state) {
  return std::make_unique<LmdbBackend>(state);
}

std::span<const Offer> KeyvalueCapability::offers() const {
  return kOffers;
}

std::unique_ptr<Provider> KeyvalueCapability::provider(const Offer& offer, Site site) {
  auto index = static_cast<std::size_t>(&offer - kOffers.data());
  CHECK(index < kOffers.size());
  return kMakers[index](backend_->store(site.loop), site.use);
}

}  // namespace weft::keyvalue
