#pragma once

#include <memory>
#include <string>

#include "capabilities/capability.h"
#include "capabilities/messaging/broker.h"
#include "remote/nats/client.h"

namespace weft::messaging::nats {

struct Settings {
  remote::nats::Settings server;
  std::string prefix = "weft.{app}.{broker}";  // Before topics; empty: nothing is.
};

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, or what is wrong with a file that is named.
Result<Settings> read_settings(const DriverChoice& choice);

// Core NATS: at most once on the wire, again from memory while the host runs. No connection is made
// before something is asked of it.
std::unique_ptr<Backend> nats_backend(Settings settings);

}  // namespace weft::messaging::nats
