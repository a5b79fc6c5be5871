#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "capabilities/answer_tasks.h"
#include "capabilities/keyvalue/testing.h"
#include "capabilities/lock/acquisition.h"
#include "capabilities/state_folder.h"
#include "capabilities/test_folder.h"
#include "io/loop.h"

namespace weft::lock {

using keyvalue::await;

// The same of what may be a task.
template <class T>
Result<T> await(Loop& loop, Soon<T> soon) {
  if (auto* there = std::get_if<0>(&soon)) return std::move(*there);
  return await(loop, promised(loop, std::move(std::get<1>(soon))));
}

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// What the list of drivers in drivers_test.cc says of each. Made twice on one state folder, it
// finds what it has kept there, or on its server; at first that is nothing.
struct Driver {
  std::string name;
  std::function<std::unique_ptr<Backend>(StateFolderOnDemand&)> make;
};

// A backend as a loop reaches it, and somebody who takes locks of it.
class Client {
 public:
  Client(Loop& loop, Backend& backend)
      : loop_(loop), locks_(std::make_shared<Locks>(loop, backend.store(loop), backend.turns())) {}
  ~Client() { locks_->close(); }
  Client(const Client&) = delete;

  using Held = std::unique_ptr<Hold>;
  static Deadline soon() { return Deadline::after(30s); }

  Soon<Held> begin(LockName lock, Milliseconds ttl, Milliseconds wait) {
    return acquire(locks_, {std::move(lock), ttl, wait}, soon());
  }
  Result<Held> take(std::string name, Milliseconds ttl = 30s, Milliseconds wait = 20s,
                    std::string scope = "app") {
    return await(loop_, begin({std::move(scope), std::move(name)}, ttl, wait));
  }
  // Null where somebody has it.
  Held try_it(std::string name, Milliseconds ttl = 30s, std::string scope = "app") {
    auto held = await(loop_, try_acquire(locks_, {std::move(scope), std::move(name)}, ttl, soon()));
    EXPECT_TRUE(held.has_value()) << held.error().message();
    return held ? *std::move(held) : nullptr;
  }
  bool renew(Hold& hold, Milliseconds ttl) {
    auto renewed = await(loop_, hold.renew(soon(), ttl));
    EXPECT_TRUE(renewed.has_value()) << renewed.error().message();
    return renewed.value_or(false);
  }
  bool release(Hold& hold) {
    auto released = await(loop_, hold.release(soon()));
    EXPECT_TRUE(released.has_value()) << released.error().message();
    return released.value_or(false);
  }
  Store& store() { return locks_->store(); }
  Turns& turns() { return *locks_->turns(); }

 private:
  Loop& loop_;
  std::shared_ptr<Locks> locks_;  // Shared with the holds.
};

// Holds every driver to what store.h and the README promise.
class Conformance : public ::testing::TestWithParam<Driver> {
 protected:
  Conformance() : backend_(GetParam().make(state_)) { CHECK(backend_->open()); }

  Loop loop_;  // Outlives the backend, whose answers are posted to it.
  TestFolder folder_;
  StateFolderOnDemand state_{folder_.path()};
  std::unique_ptr<Backend> backend_;
};

}  // namespace weft::lock
