#pragma once

#include <memory>
#include <span>

#include "capabilities/blobstore/backend.h"
#include "capabilities/blobstore/drivers/azure/container.h"
#include "capabilities/capability.h"

namespace weft::blobstore::azure {

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, or what is wrong with the file of authorities.
Result<Settings> read_settings(const DriverChoice& choice);

// A container of a storage account as a backend; nothing is asked of it before somebody wants
// something.
std::unique_ptr<Backend> azure_backend(Settings settings);

}  // namespace weft::blobstore::azure
