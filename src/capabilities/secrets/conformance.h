#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "capabilities/secrets/source.h"
#include "capabilities/test_folder.h"
#include "io/loop.h"

namespace weft::secrets {

// What the list of drivers in drivers_test.cc says of each: where it keeps secrets, and how an
// operator would put them there.
class Keeper {
 public:
  virtual ~Keeper() = default;
  // With no settings but those it needs.
  virtual std::unique_ptr<Source> source() = 0;
  virtual void set(const std::string& name, std::string_view value) = 0;
  virtual void remove(const std::string& name) = 0;
  // Makes each read fail from now on.
  virtual void break_down() = 0;
};

struct Driver {
  std::string name;
  std::function<std::unique_ptr<Keeper>(const TestFolder&)> make;
  bool only_text = false;       // It can hold nothing that is no text.
  bool strips_newline = false;  // The last one of a text.
  bool breaks = true;           // There is something that can break.
};

// Holds every driver to what source.h and the README promise.
class Conformance : public ::testing::TestWithParam<Driver> {
 protected:
  Result<Secret> read(std::string_view name) {
    return wait_for(loop_, *source_, name, Deadline::after(std::chrono::seconds(30)));
  }
  // For an expectation: what was read, or what went wrong.
  std::string text(std::string_view name) {
    auto value = read(name);
    return value ? std::string(value->reveal()) : "failed: " + value.error().message();
  }

  TestFolder folder_;
  Loop loop_;
  std::unique_ptr<Keeper> keeper_ = GetParam().make(folder_);
  std::unique_ptr<Source> source_ = keeper_->source();
};

}  // namespace weft::secrets
