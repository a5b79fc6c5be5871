#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "capabilities/capability.h"
#include "capabilities/messaging/broker.h"
#include "remote/mqtt/client.h"

namespace weft::messaging::mqtt {

struct Settings {
  remote::mqtt::Settings server;
  std::string prefix = "weft/{app}/{broker}";  // Before topics; empty: nothing is.
  std::string client_id = "";                  // Of this host; empty: its name.
  std::uint8_t qos = 1;
  std::chrono::seconds session{24 * 3600};  // How long the server keeps a group's messages.
};

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, or what is wrong with a file that is named.
Result<Settings> read_settings(const DriverChoice& choice);

// MQTT 5. No connection is made before something is asked of it.
std::unique_ptr<Backend> mqtt_backend(Settings settings);

}  // namespace weft::messaging::mqtt
