#pragma once

#include <memory>

#include "capabilities/capability.h"
#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/drivers/jetstream/stream.h"

namespace weft::messaging::jetstream {

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, or what is wrong with a file that is named.
Result<Settings> read_settings(const DriverChoice& choice);

// Streams of JetStream's. No connection is made before something is asked of it.
std::unique_ptr<Backend> jetstream_backend(Settings settings);

}  // namespace weft::messaging::jetstream
