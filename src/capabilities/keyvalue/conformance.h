#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "capabilities/keyvalue/backend.h"
#include "capabilities/keyvalue/testing.h"
#include "capabilities/test_folder.h"
#include "io/loop.h"

namespace weft::keyvalue {

// What the list of drivers in drivers_test.cc says of each: a backend with nothing in it. The state
// folder is empty too.
struct Driver {
  std::string name;
  std::function<std::unique_ptr<Backend>(StateFolderOnDemand&)> make;
  // Of a value, where a driver's README makes it an exception.
  std::size_t value_bytes_max = kValueBytesMax;
  // Of a list's page, and increments of each of several loops: fewer where what stands in for the
  // server takes many milliseconds for a write.
  std::size_t page_keys = kListPageKeys;
  int increments = 300;
};

// Holds every driver to what bucket.h and the README promise.
class Conformance : public ::testing::TestWithParam<Driver> {
 protected:
  Conformance() : backend_(GetParam().make(state_)) {
    CHECK(backend_->open());
    store_ = backend_->store(loop_);
  }

  Request request() { return {loop_, Deadline::after(std::chrono::seconds(90))}; }
  std::unique_ptr<Bucket> open(std::string_view name, std::string_view owner = "app") {
    return open_in(*store_, name, owner);
  }
  std::unique_ptr<Bucket> open_in(Store& store, std::string_view name, std::string_view owner) {
    auto bucket = await(loop_, store.open(request(), {owner, name}));
    CHECK(bucket.has_value());
    return *std::move(bucket);
  }

  template <class T>
  Result<T> wait(Answer<T> answer) {
    return await(loop_, std::move(answer));
  }
  // Writes that have to succeed, and reads as text: "(none)" when the key is absent.
  void set(Bucket& bucket, std::string_view key, std::string_view value);
  std::string get(Bucket& bucket, std::string_view key);
  // All keys, page by page.
  std::vector<std::string> keys_of(Bucket& bucket);

  Loop loop_;  // Outlives the backend, whose writes are posted to it.
  TestFolder folder_;
  StateFolderOnDemand state_{folder_.path()};
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Store> store_;
};

}  // namespace weft::keyvalue
