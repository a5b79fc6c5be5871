#pragma once

#include <memory>
#include <span>

#include "capabilities/blobstore/backend.h"
#include "capabilities/blobstore/drivers/s3/client.h"
#include "capabilities/capability.h"

namespace weft::blobstore::s3 {

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, or what is wrong with the file of authorities.
Result<Settings> read_settings(const DriverChoice& choice);

// A bucket as a backend; nothing is asked of it before somebody wants something.
std::unique_ptr<Backend> s3_backend(Settings settings);

}  // namespace weft::blobstore::s3
