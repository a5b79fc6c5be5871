#pragma once

#include <memory>
#include <span>

#include "capabilities/capability.h"
#include "capabilities/keyvalue/drivers/etcd/keys.h"
#include "capabilities/lock/store.h"

namespace weft::lock::etcd {

using keyvalue::etcd::Settings;

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, or what is wrong with the file of authorities.
Result<Settings> read_settings(const DriverChoice& choice);

// Locks in an etcd cluster; no connection is made before something is asked of it.
std::unique_ptr<Backend> etcd_backend(Settings settings);

}  // namespace weft::lock::etcd
