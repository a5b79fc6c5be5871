#pragma once

#include <memory>
#include <string>

#include "capabilities/capability.h"
#include "capabilities/messaging/broker.h"
#include "remote/kafka/client.h"

namespace weft::messaging::kafka {

struct Settings {
  remote::kafka::Settings server;
  std::string prefix = "weft.{app}.{broker}";  // Before topics; empty: nothing is.
  std::string group_prefix = "weft.{app}.{broker}";
};

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, with what is wrong.
Result<Settings> read_settings(const DriverChoice& choice);

// Apache Kafka. No connection is made before something is asked of it.
std::unique_ptr<Backend> kafka_backend(Settings settings);

}  // namespace weft::messaging::kafka
