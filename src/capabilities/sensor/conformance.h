#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "capabilities/keyvalue/testing.h"
#include "capabilities/sensor/source.h"
#include "capabilities/test_folder.h"
#include "io/loop.h"

namespace weft::sensor {

using keyvalue::await;

// What the list of drivers in drivers_test.cc says of each. All of them have two sensors at least,
// of which `one` is one, and measure some times a second.
struct Driver {
  std::string name;
  std::string one;
  std::string other;
  std::function<std::unique_ptr<Backend>(const TestFolder&)> make;
  // Has the sensors say something, where they do not by themselves.
  std::function<void()> stir = [] {};
};

// Holds every driver to what source.h and the README promise.
class Conformance : public ::testing::TestWithParam<Driver> {
 protected:
  Conformance() : backend_(GetParam().make(folder_)) {
    CHECK(backend_->open());
    source_ = backend_->source(loop_);
  }
  ~Conformance() override {
    source_ = nullptr;
    loop_.context().restart();
    loop_.context().poll();
  }

  Request soon() { return {loop_, Deadline::after(std::chrono::seconds(20))}; }
  // Runs the loop, and has the sensors say something, until it is so.
  template <class Done>
  bool until(Done done) {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (!done()) {
      if (limit.passed()) return false;
      GetParam().stir();
      loop_.context().restart();
      loop_.context().run_for(std::chrono::milliseconds(20));
    }
    return true;
  }

  TestFolder folder_;
  Loop loop_;  // Outlives the backend, whose answers are posted to it.
  std::unique_ptr<Backend> backend_;
  std::shared_ptr<Source> source_;
};

}  // namespace weft::sensor
