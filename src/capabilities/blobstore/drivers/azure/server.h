#pragma once

#include <string>
#include <utility>

#include "capabilities/blobstore/drivers/azure/azure.h"
#include "remote/azure/testing.h"

namespace weft::blobstore::azure {

// Of Azurite's account, for a container that is there. For tests.
inline Settings settings_for(std::uint16_t port, std::string container) {
  return {.server = remote::azure::settings_for(port, std::move(container))};
}

}  // namespace weft::blobstore::azure
