#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "capabilities/table.h"

namespace weft::node::daemon {

// Services of one process that have had a store.
inline constexpr std::size_t kServiceStoresMax = 200;

// What the services of a node keep: for each that its owner grants it to, wasi:keyvalue on a file
// of its own in a folder of the service's name.
//
// A store is opened when a service first needs it, and stays open and as large as it may be until
// this goes; what is in it stays on the disk. Made before the plans of services, and outlives them;
// the loops outlive it. On one thread at a time, which may wait for the disk.
class ServiceStores {
 public:
  explicit ServiceStores(std::filesystem::path folder) : folder_(std::move(folder)) {}

  struct Store {
    std::uint64_t bytes_max = 0;
    CapabilityTable capabilities = {};  // What a run may ask of the node too.
  };
  // Of a service of that name. One that is open keeps its bound. kLimit: there are too many.
  Result<const Store*> open(const std::string& service, std::uint64_t bytes_max);

 private:
  const std::filesystem::path folder_;
  std::map<std::string, std::unique_ptr<Store>> stores_;
};

}  // namespace weft::node::daemon
