// Shows what is made of a tree as the kernel's Industrial I/O has it: raw values with their scales
// and offsets, units, devices of one name, and devices that go.
#include "capabilities/sensor/drivers/iio/iio.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "capabilities/test_folder.h"

namespace weft::sensor::iio {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Iio : public ::testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    std::filesystem::path file = tree_.path() / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << '\n';
  }
  std::string read(const std::string& sensor) {
    auto read = probe_->read(sensor);
    if (!read) return std::string(to_string(read.error().code()));
    std::ostringstream text;
    text << read->value << ' ' << read->unit;
    return text.str();
  }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const SensorInfo& each : *probe_->list()) all.push_back(each.name);
    return all;
  }

  TestFolder tree_;
  std::shared_ptr<Probe> probe_ = probe({.path = tree_.path().string()});
};

TEST_F(Iio, ValuesHaveTheirUnits) {
  put("iio:device0/name", "bme280");
  put("iio:device0/in_temp_input", "21730");
  put("iio:device0/in_pressure_input", "101.325");
  put("iio:device0/in_humidityrelative_input", "45500");
  put("iio:device0/in_temp_oversampling_ratio", "2");
  put("iio:device0/out_voltage0_raw", "1");
  EXPECT_THAT(names(), ElementsAre("bme280/humidityrelative", "bme280/pressure", "bme280/temp"));
  EXPECT_EQ(read("bme280/temp"), "21.73 Cel");
  EXPECT_EQ(read("bme280/pressure"), "101.325 kPa");
  EXPECT_EQ(read("bme280/humidityrelative"), "45.5 %");
}

TEST_F(Iio, RawValuesHaveTheirScaleAndOffset) {
  put("iio:device0/name", "adc");
  put("iio:device0/in_voltage0_raw", "1000");
  put("iio:device0/in_voltage1_raw", "1000");
  put("iio:device0/in_voltage0-voltage1_raw", "-500");
  put("iio:device0/in_voltage_scale", "0.5");
  put("iio:device0/in_voltage1_scale", "2");
  put("iio:device0/in_voltage1_offset", "-100");
  put("iio:device0/in_accel_x_raw", "100");
  put("iio:device0/in_accel_scale", "0.01");
  put("iio:device0/in_proximity_raw", "77");
  EXPECT_EQ(read("adc/voltage0"), "0.5 V");
  EXPECT_EQ(read("adc/voltage1"), "1.8 V");
  EXPECT_EQ(read("adc/voltage0-voltage1"), "-0.25 V");
  EXPECT_EQ(read("adc/accel_x"), "1 m/s2");
  EXPECT_EQ(read("adc/proximity"), "77 1");
}

TEST_F(Iio, WhatTheKernelHasWorkedOutIsTakenBeforeTheRawValue) {
  put("iio:device0/in_illuminance_raw", "5");
  put("iio:device0/in_illuminance_input", "320.5");
  EXPECT_THAT(names(), ElementsAre("iio:device0/illuminance"));
  EXPECT_EQ(read("iio:device0/illuminance"), "320.5 lx");
}

TEST_F(Iio, DevicesOfOneNameHaveTheirNumbers) {
  for (const char* device : {"iio:device0", "iio:device7"}) {
    put(std::string(device) + "/name", "tmp102");
    put(std::string(device) + "/in_temp_input", "1000");
  }
  EXPECT_THAT(names(), ElementsAre("tmp102-0/temp", "tmp102-7/temp"));
  // A name that none of ours can be is not taken.
  put("iio:device7/name", "two words");
  EXPECT_THAT(names(), ElementsAre("iio:device7/temp", "tmp102/temp"));
}

TEST_F(Iio, ARoundIsOfThoseThatAreWanted) {
  put("iio:device0/name", "t");
  put("iio:device0/in_temp_input", "1000");
  put("iio:device0/in_temp2_input", "");
  put("iio:device0/in_pressure_input", "1");
  auto round =
      probe_->readings([](std::string_view sensor) { return sensor.starts_with("t/temp"); });
  ASSERT_TRUE(round.has_value());
  ASSERT_EQ(round->size(), 2U);
  EXPECT_EQ((*round)[0].sensor.name, "t/temp");
  EXPECT_EQ((*round)[0].said->value, 1);
  EXPECT_EQ((*round)[1].sensor.name, "t/temp2");
  EXPECT_EQ((*round)[1].said.error().code(), Errc::kUnavailable);
}

TEST_F(Iio, WhatGoesOrFailsIsAnError) {
  put("iio:device0/name", "t");
  put("iio:device0/in_temp_input", "1000");
  EXPECT_EQ(read("t/temp"), "1 Cel");
  put("iio:device0/in_temp_input", "");
  EXPECT_EQ(read("t/temp"), "unavailable");
  put("iio:device0/in_temp_input", "0x10");
  EXPECT_EQ(read("t/temp"), "unavailable");
  std::filesystem::remove_all(tree_.path() / "iio:device0");
  EXPECT_EQ(read("t/temp"), "not-found");
  EXPECT_THAT(names(), ElementsAre());
  auto nowhere = probe({.path = (tree_.path() / "none").string()});
  EXPECT_EQ(nowhere->list().error().code(), Errc::kUnavailable);
  EXPECT_THAT(nowhere->list().error().message(), HasSubstr("none"));
}

}  // namespace
}  // namespace weft::sensor::iio
