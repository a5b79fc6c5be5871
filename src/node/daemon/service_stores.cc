#include "node/daemon/service_stores.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "capabilities/keyvalue/keyvalue.h"
#include "node/runs/resources.h"

namespace weft::node::daemon {

Result<const ServiceStores::Store*> ServiceStores::open(const std::string& service,
                                                        std::uint64_t bytes_max) {
  if (auto open = stores_.find(service); open != stores_.end()) return open->second.get();
  if (stores_.size() >= kServiceStoresMax) {
    return failure(Errc::kLimit, fmt::format("{} services have had a store since the node started: "
                                             "start it again",
                                             stores_.size()));
  }
  auto state = std::make_unique<StateFolderOnDemand>(folder_ / service);
  std::vector<std::unique_ptr<Capability>> all;
  all.push_back(std::make_unique<runs::ResourcesCapability>());
  all.push_back(std::make_unique<keyvalue::KeyvalueCapability>(
      keyvalue::bounded_lmdb_backend(*state, bytes_max)));
  auto& store = stores_[service];
  store = std::make_unique<Store>();
  store->bytes_max = bytes_max;
  store->capabilities = CapabilityTable(std::move(all), std::move(state));
  return store.get();
}

}  // namespace weft::node::daemon
