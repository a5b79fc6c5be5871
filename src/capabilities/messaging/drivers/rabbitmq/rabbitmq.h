#pragma once

#include <memory>
#include <span>

#include "capabilities/capability.h"
#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/drivers/rabbitmq/site.h"

namespace weft::messaging::rabbitmq {

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, or what is wrong with a file that is named.
Result<Settings> read_settings(const DriverChoice& choice);

// RabbitMQ. No connection is made before something is asked of it.
std::unique_ptr<Backend> rabbitmq_backend(Settings settings);

}  // namespace weft::messaging::rabbitmq
