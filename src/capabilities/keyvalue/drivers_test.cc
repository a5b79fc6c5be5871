// Shows that every driver passes the one conformance suite. A new driver is one more line below.
#include "capabilities/keyvalue/conformance.h"
#include "capabilities/keyvalue/drivers/lmdb.h"
#include "capabilities/keyvalue/drivers/memory.h"
#include "capabilities/test_folder.h"

namespace weft::keyvalue {
namespace {

class MemoryBackend : public TestBackend {
 public:
  std::unique_ptr<Store> store(Loop&) override { return std::make_unique<MemoryStore>(database_); }

 private:
  std::shared_ptr<MemoryDatabase> database_ = std::make_shared<MemoryDatabase>();
};

class LmdbBackend : public TestBackend {
 public:
  std::unique_ptr<Store> store(Loop& loop) override {
    return std::make_unique<LmdbStore>(database_->view(loop));
  }

 private:
  TestFolder folder_;
  std::shared_ptr<LmdbDatabase> database_ = LmdbDatabase::open(folder_.path()).value();
};

INSTANTIATE_TEST_SUITE_P(
    keyvalue, Conformance,
    ::testing::Values(Driver{"memory", [] { return std::make_unique<MemoryBackend>(); }},
                      Driver{"lmdb", [] { return std::make_unique<LmdbBackend>(); }}),
    [](const auto& driver) { return driver.param.name; });

}  // namespace
}  // namespace weft::keyvalue
