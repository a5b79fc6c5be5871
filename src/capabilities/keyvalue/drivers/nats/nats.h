#pragma once

#include <memory>

#include "capabilities/capability.h"
#include "capabilities/keyvalue/backend.h"
#include "capabilities/keyvalue/drivers/nats/keys.h"

namespace weft::keyvalue::nats {

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, or what is wrong with a file that is named.
Result<Settings> read_settings(const DriverChoice& choice);

// JetStream's key-value buckets as a backend; no connection is made before something is asked of
// it.
std::unique_ptr<Backend> nats_backend(Settings settings);

}  // namespace weft::keyvalue::nats
