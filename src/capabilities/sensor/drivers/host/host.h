#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "capabilities/capability.h"
#include "capabilities/sensor/polled.h"

namespace weft::sensor::host {

struct Settings {
  std::string root = "/";  // In which proc and sys are.
  std::chrono::milliseconds every = kEveryByDefault;
};

std::span<const DriverKey> driver_keys();
Result<Settings> read_settings(const DriverChoice& choice);

// What Linux says of the machine: see the README of this folder.
std::shared_ptr<Probe> probe(Settings settings);
std::unique_ptr<Backend> host_backend(Settings settings);

}  // namespace weft::sensor::host
