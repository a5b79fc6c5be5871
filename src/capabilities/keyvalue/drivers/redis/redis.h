#pragma once

#include <memory>
#include <string>

#include "capabilities/capability.h"
#include "capabilities/keyvalue/backend.h"
#include "capabilities/keyvalue/drivers/redis/client.h"

namespace weft::keyvalue::redis {

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, or what is wrong with the file of authorities.
Result<Settings> read_settings(const DriverChoice& choice);

// A Redis server as a backend; no connection is made before something is asked of it.
std::unique_ptr<Backend> redis_backend(Settings settings);

}  // namespace weft::keyvalue::redis
