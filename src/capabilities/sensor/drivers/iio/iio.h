#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "capabilities/capability.h"
#include "capabilities/sensor/polled.h"

namespace weft::sensor::iio {

struct Settings {
  std::string path = "/sys/bus/iio/devices";
  std::chrono::milliseconds every = kEveryByDefault;
};

std::span<const DriverKey> driver_keys();
Result<Settings> read_settings(const DriverChoice& choice);

// The sensors of Linux's Industrial I/O: see the README of this folder.
std::shared_ptr<Probe> probe(Settings settings);
std::unique_ptr<Backend> iio_backend(Settings settings);

}  // namespace weft::sensor::iio
