#pragma once

#include <memory>
#include <span>

#include "capabilities/capability.h"
#include "capabilities/keyvalue/drivers/redis/client.h"
#include "capabilities/lock/store.h"

namespace weft::lock::redis {

using keyvalue::redis::Settings;

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, or what is wrong with the file of authorities.
Result<Settings> read_settings(const DriverChoice& choice);

// Locks on a Redis server; no connection is made before something is asked of it.
std::unique_ptr<Backend> redis_backend(Settings settings);

}  // namespace weft::lock::redis
