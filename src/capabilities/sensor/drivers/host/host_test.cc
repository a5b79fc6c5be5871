// Shows what is made of the kernel's files, on a tree of the test's own, and that this machine has
// such.
#include "capabilities/sensor/drivers/host/host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "capabilities/test_folder.h"

namespace weft::sensor::host {
namespace {

using ::testing::ElementsAre;

class HostSensors : public ::testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    std::filesystem::path file = root_.path() / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  double value(const std::string& sensor) {
    auto read = probe_->read(sensor);
    EXPECT_TRUE(read.has_value()) << read.error().message();
    return read ? read->value : -1;
  }

  TestFolder root_;
  std::shared_ptr<Probe> probe_ = probe({.root = root_.path().string()});
};

TEST_F(HostSensors, AreThoseOfTheKernelsFiles) {
  put("proc/loadavg", "0.25 1.50 3.75 1/123 4567\n");
  put("proc/meminfo", "MemTotal:  8000 kB\nMemFree: 100 kB\nMemAvailable:   2000 kB\n");
  put("sys/class/thermal/thermal_zone3/temp", "45250\n");
  put("sys/class/thermal/thermal_zone3/type", "x86_pkg_temp\n");
  put("sys/class/thermal/cooling_device0/type", "fan\n");
  EXPECT_EQ(value("load-1"), 0.25);
  EXPECT_EQ(value("load-5"), 1.5);
  EXPECT_EQ(value("load-15"), 3.75);
  EXPECT_EQ(value("memory"), 75);
  EXPECT_EQ(value("memory-available"), 2'048'000);
  EXPECT_EQ(value("temperature-3"), 45.25);
  auto all = probe_->list();
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(all->back(), (SensorInfo{"temperature-3", "Cel", "x86_pkg_temp"}));
  EXPECT_EQ(all->size(), 7U);
}

TEST_F(HostSensors, TheProcessorIsBusySinceItWasAskedLast) {
  put("proc/stat", "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 1 1 1\n");
  auto first = probe_->read("cpu");
  ASSERT_TRUE(first.has_value()) << first.error().message();
  EXPECT_EQ(first->value, 20);
  EXPECT_EQ(first->quality, Quality::kUncertain);
  put("proc/stat", "cpu  160 0 120 710 110 0 0 0 0 0\n");
  Deadline limit = Deadline::after(std::chrono::seconds(20));
  auto next = probe_->read("cpu");
  while (next->quality == Quality::kUncertain && !limit.passed()) {
    std::this_thread::yield();
    next = probe_->read("cpu");
  }
  EXPECT_EQ(next->value, 80);
  EXPECT_EQ(next->quality, Quality::kGood);
}

TEST_F(HostSensors, SayWhatIsWrong) {
  EXPECT_EQ(probe_->read("temperature-0").error().code(), Errc::kNotFound);
  EXPECT_EQ(probe_->read("load-2").error().code(), Errc::kNotFound);
  // A guest gives the name, and it says which file is read.
  put("sys/class/thermal/thermal_zone3/temp", "45250\n");
  put("sys/class/secret/temp", "1\n");
  for (const char* name : {"temperature-", "temperature-x", "temperature--3", "temperature-3/.",
                           "temperature-3/../../secret", "temperature-0000000003"}) {
    EXPECT_EQ(probe_->read(name).error().code(), Errc::kNotFound) << name;
  }
  put("proc/meminfo", "MemTotal:  a lot\n");
  EXPECT_EQ(probe_->read("memory").error().code(), Errc::kUnavailable);
  put("proc/stat", "intr 1 2 3\n");
  EXPECT_EQ(probe_->read("cpu").error().code(), Errc::kUnavailable);
}

TEST(HostOfThisMachine, HasLoadAndMemory) {
  auto real = probe({});
  for (const char* sensor : {"cpu", "load-1", "memory"}) {
    auto read = real->read(sensor);
    ASSERT_TRUE(read.has_value()) << read.error().message();
    EXPECT_GE(read->value, 0);
  }
  EXPECT_LE(real->read("memory")->value, 100);
}

}  // namespace
}  // namespace weft::sensor::host
