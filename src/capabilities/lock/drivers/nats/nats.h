#pragma once

#include <memory>
#include <span>

#include "capabilities/capability.h"
#include "capabilities/keyvalue/backend.h"
#include "capabilities/keyvalue/drivers/nats/keys.h"
#include "capabilities/lock/store.h"

namespace weft::lock::nats {

using keyvalue::nats::Settings;

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, or what is wrong with a file that is named.
Result<Settings> read_settings(const DriverChoice& choice);

// Locks in JetStream's key-value buckets; no connection is made before something is asked of it.
std::unique_ptr<Backend> nats_backend(Settings settings);
// The same in any store that compares and swaps.
std::unique_ptr<Backend> entries_backend(std::unique_ptr<keyvalue::Backend> entries);

}  // namespace weft::lock::nats
