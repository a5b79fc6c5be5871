#pragma once

#include <memory>

#include "capabilities/keyvalue/backend.h"
#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/log.h"

namespace weft::messaging {

// Brokers whose logs lie in a key-value store: durable when that is. The store outlives it.
std::unique_ptr<Backend> log_backend(keyvalue::Backend& store, LogBounds bounds = {});
// The same with a store of its own.
std::unique_ptr<Backend> log_backend(std::unique_ptr<keyvalue::Backend> store,
                                     LogBounds bounds = {});

}  // namespace weft::messaging
