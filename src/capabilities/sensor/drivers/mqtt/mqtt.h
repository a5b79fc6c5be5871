#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/capability.h"
#include "capabilities/sensor/source.h"
#include "remote/mqtt/client.h"

namespace weft::sensor::mqtt {

// Where a sensor's values are: a topic, and in JSON a place.
struct Place {
  SensorInfo sensor;
  std::string topic;
  std::string pointer = {};  // Empty: the message is the value.
};

struct Settings {
  remote::mqtt::Settings server = {};
  std::vector<Place> places = {};
  std::string filter = {};  // What is subscribed to.
  std::uint8_t qos = 1;
  // One that is older is stale.
  std::chrono::milliseconds max_age{std::chrono::minutes(5)};
};

// What an operator may set: see the README of this folder.
std::span<const DriverKey> driver_keys();
// kInvalid, or what is wrong with a file that is named.
Result<Settings> read_settings(const DriverChoice& choice);

// The filter of all these topics; kInvalid where they have nothing in common.
Result<std::string> filter_of(const std::vector<Place>& places);
// What a message says; kInvalid where that is no number and no flag.
Result<double> value_of(std::string_view payload, const std::string& pointer);

// MQTT 5. No connection is made before something is asked of it.
std::unique_ptr<Backend> mqtt_backend(Settings settings);

}  // namespace weft::sensor::mqtt
