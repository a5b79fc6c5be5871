// Shows that every driver passes the one conformance suite. A new driver is one more line below.
#include "capabilities/keyvalue/drivers/redis/server.h"
#include "capabilities/lock/conformance.h"
#include "capabilities/lock/drivers/table.h"
#include "capabilities/lock/testing.h"
#include "remote/etcd/testing.h"
#include "remote/nats/testing.h"

namespace weft::lock {
namespace {

// With the store that has its tokens.
struct Tokens {
  std::unique_ptr<keyvalue::Backend> tokens;
};
class OnLmdb final : private Tokens, public Backend {
 public:
  explicit OnLmdb(StateFolderOnDemand& state)
      : Tokens{keyvalue::lmdb_backend(state)}, backend_(embedded_backend(*tokens)) {}
  Result<void> open() override { return backend_->open(); }
  std::unique_ptr<Store> store(Loop& loop) override { return backend_->store(loop); }

 private:
  std::unique_ptr<Backend> backend_;
};

// One name for each state folder, and with it for each test.
std::string prefix_of(StateFolderOnDemand& state) {
  return "t" + state.path().filename().string().substr(10);
}

INSTANTIATE_TEST_SUITE_P(
    lock, Conformance,
    ::testing::Values(
        Driver{"memory", [](StateFolderOnDemand&) { return memory_backend(); }},
        Driver{"embedded",
               [](StateFolderOnDemand& state) { return std::make_unique<OnLmdb>(state); }},
        Driver{"etcd",
               [](StateFolderOnDemand& state) {
                 return etcd_at(remote::etcd::shared_server().port(), prefix_of(state));
               }},
        Driver{"redis",
               [](StateFolderOnDemand& state) {
                 static std::filesystem::path last;
                 auto& server = keyvalue::redis::shared_server();
                 if (std::exchange(last, state.path()) != state.path()) {
                   keyvalue::redis::empty(server);
                 }
                 return redis_at(server.port(), "");
               }},
        Driver{"nats",
               [](StateFolderOnDemand& state) {
                 return nats_at(remote::nats::shared_server().port(), prefix_of(state));
               }}),
    [](const auto& driver) { return driver.param.name; });

}  // namespace
}  // namespace weft::lock
