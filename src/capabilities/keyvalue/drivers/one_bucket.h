#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "capabilities/keyvalue/backend.h"
#include "capabilities/keyvalue/testing.h"
#include "io/loop.h"

namespace weft::keyvalue {

// One bucket of a backend, for tests of what a driver's server does to it.
class OneBucket : public ::testing::Test {
 protected:
  void open(std::unique_ptr<Backend> backend) {
    backend_ = std::move(backend);
    store_ = backend_->store(loop_);
    bucket_ = *await(loop_, store_->open(soon(), {"app", "b"}));
  }
  Request soon(std::chrono::milliseconds time = std::chrono::seconds(20)) {
    return {loop_, Deadline::after(time)};
  }
  Result<void> set(std::string_view key, std::string_view value,
                   std::chrono::milliseconds time = std::chrono::seconds(20)) {
    return await(loop_, bucket_->set(soon(time), key, as_bytes(value)));
  }
  // The value, "(none)", or "(error)" and why.
  std::string get(std::string_view key, std::chrono::milliseconds time = std::chrono::seconds(20)) {
    auto value = await(loop_, bucket_->get(soon(time), key));
    if (!value) return "(error) " + value.error().message();
    return *value ? std::string(as_text(**value)) : "(none)";
  }
  // Tries until it is there again.
  bool recovers(std::string_view key, std::string_view value) {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (!limit.passed()) {
      if (get(key) == value) return true;
    }
    return false;
  }

  Loop loop_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Bucket> bucket_;
};

}  // namespace weft::keyvalue
