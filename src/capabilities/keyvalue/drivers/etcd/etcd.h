#pragma once

#include <memory>

#include "capabilities/capability.h"
#include "capabilities/keyvalue/backend.h"
#include "capabilities/keyvalue/drivers/etcd/keys.h"

namespace weft::keyvalue::etcd {

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, or what is wrong with the file of authorities.
Result<Settings> read_settings(const DriverChoice& choice);

// Keys of an etcd cluster as a backend; no connection is made before something is asked of it.
std::unique_ptr<Backend> etcd_backend(Settings settings);

}  // namespace weft::keyvalue::etcd
