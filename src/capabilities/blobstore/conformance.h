#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "capabilities/blobstore/backend.h"
#include "capabilities/test_folder.h"
#include "io/loop.h"
#include "io/test_task.h"

namespace weft::blobstore {

// What the list of drivers in drivers_test.cc says of each: a backend with nothing in it. The state
// folder is empty too.
struct Driver {
  std::string name;
  std::function<std::unique_ptr<Backend>(StateFolderOnDemand&)> make;
  // The server of the test may say of an object that it is not there while it is replaced.
  bool misses_what_is_replaced = false;
};

// Works with the stores of one loop, which nobody else runs. Objects are text; a failure is text
// too: "(not-found)".
class Hand {
 public:
  explicit Hand(Backend& backend) : store_(backend.store(loop_)) {}

  Loop& loop() { return loop_; }
  Store& store() { return *store_; }
  Request request() { return {loop_, Deadline::after(std::chrono::seconds(30))}; }
  Request late() { return {loop_, Deadline::after(std::chrono::seconds(-1))}; }
  template <class T>
  Result<T> wait(Task<T> task) {
    return testing::run_task(loop_, std::move(task), std::chrono::seconds(60));
  }

  std::unique_ptr<Container> create(std::string name, std::string owner = "app");
  std::unique_ptr<Container> open(std::string name, std::string owner = "app");
  void put(Container& container, std::string name, std::string_view text);
  // Empty objects, many at a time: what is waited for is the disk.
  void put_all(Container& container, const std::vector<std::string>& names);
  std::string get(Container& container, std::string name, Range range = {});
  // What a reader still has to give.
  std::string rest(ObjectReader& reader);
  // All names, page by page.
  std::vector<std::string> names(Container& container);

 private:
  Loop loop_;
  std::unique_ptr<Store> store_;
};

// Holds every driver to what container.h and the README promise.
class Conformance : public ::testing::TestWithParam<Driver> {
 protected:
  Conformance() : backend_(GetParam().make(state_)) {
    CHECK(backend_->open());
    hand_.emplace(*backend_);
  }
  ~Conformance() override {
    // The loop outlives the backend, whose last work is posted to it.
    backend_.reset();
  }

  Hand& hand() { return *hand_; }

  TestFolder folder_;
  StateFolderOnDemand state_{folder_.path()};
  std::unique_ptr<Backend> backend_;
  std::optional<Hand> hand_;
};

// The code of a failure as text, or "(ok)".
template <class T>
std::string code_of(const Result<T>& result) {
  return result ? "(ok)" : "(" + std::string(to_string(result.error().code())) + ")";
}

}  // namespace weft::blobstore
