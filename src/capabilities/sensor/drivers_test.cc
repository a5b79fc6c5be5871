// Shows that every driver passes the one conformance suite. A new driver is one more line below.
#include <filesystem>
#include <fstream>

#include "capabilities/sensor/conformance.h"
#include "capabilities/sensor/drivers/host/host.h"
#include "capabilities/sensor/drivers/iio/iio.h"
#include "capabilities/sensor/drivers/mqtt/testing.h"
#include "capabilities/sensor/drivers/simulated/simulated.h"

namespace weft::sensor {
namespace {

constexpr std::chrono::milliseconds kOften{20};

std::unique_ptr<Backend> simulated_ones(const TestFolder&) {
  auto settings = simulated::read_settings({});
  settings->every = kOften;
  return simulated::simulated_backend(*std::move(settings));
}

std::unique_ptr<Backend> made_tree(const TestFolder& folder) {
  std::filesystem::path device = folder.path() / "iio:device0";
  std::filesystem::create_directories(device);
  std::ofstream(device / "name") << "bme280\n";
  std::ofstream(device / "in_temp_input") << "21500\n";
  std::ofstream(device / "in_pressure_input") << "101.3\n";
  return iio::iio_backend({.path = folder.path().string(), .every = kOften});
}

INSTANTIATE_TEST_SUITE_P(
    sensor, Conformance,
    ::testing::Values(Driver{"simulated", "temperature", "door", simulated_ones},
                      Driver{
                          "host", "load-1", "memory",
                          [](const TestFolder&) { return host::host_backend({.every = kOften}); }},
                      Driver{"iio", "bme280/temp", "bme280/pressure", made_tree},
                      Driver{"mqtt", "temperature", "hall/open",
                             [](const TestFolder&) { return mqtt::backend_of_tests(); },
                             mqtt::publish_for_tests}),
    [](const auto& driver) { return driver.param.name; });

}  // namespace
}  // namespace weft::sensor
