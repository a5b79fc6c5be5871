#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "capabilities/messaging/broker.h"
#include "capabilities/state_folder.h"
#include "capabilities/test_folder.h"
#include "io/loop.h"

namespace weft::messaging {

// What a driver promises beyond the suite; the README's table has it in words.
struct Guarantees {
  // What was published, and where groups stand, outlives the host.
  bool durable = true;
  // So do dead letters.
  bool keeps_letters = true;
  // A group is brought what came while its trigger did not run.
  bool keeps_for_absent = true;
  // After a crash the attempts of a message are those that failed; else deliveries, whatever became
  // of them.
  bool counts_failures = true;
  // Operators may have dead letters brought again, and be shown what is published.
  bool replays = true;
  bool watches = true;
};

// What the list of drivers in drivers_test.cc says of each.
struct Driver {
  std::string name;
  // On what is in the state folder, as if weft had started anew.
  std::function<std::unique_ptr<Backend>(StateFolderOnDemand&)> make;
  Guarantees guarantees = {};
};

inline void PrintTo(const Driver& driver, std::ostream* out) {
  *out << driver.name;
}

// Keeps what it is brought, and settles it as it is told.
class Taker final : public Receiver {
 public:
  explicit Taker(Loop& loop) : loop_(loop) {}

  void deliver(Delivery delivery) override;

  std::unique_ptr<Queue> queue;
  // What to do with each: by default it is done at once. Nothing: it is held.
  std::function<std::optional<Verdict>(const Delivery&)> judge = [](const Delivery&) {
    return Verdict();
  };
  std::vector<Delivery> taken;
  std::size_t out = 0;
  std::size_t most_out = 0;

  // "topic=data", in order.
  std::vector<std::string> texts() const;

 private:
  Loop& loop_;
};

// Holds every driver to what broker.h and the README promise.
class Conformance : public ::testing::TestWithParam<Driver> {
 protected:
  Conformance() { start(); }
  ~Conformance() override;

  // Anew on the same data: as after a crash.
  void start();
  Request request(std::chrono::milliseconds time = std::chrono::seconds(20)) {
    return {loop_, Deadline::after(time)};
  }
  std::unique_ptr<Taker> take(std::string pattern, std::string group = "g",
                              Ordering ordering = Ordering::kNone, std::size_t at_once = 8);
  // "ok", or the failure's code.
  std::string publish(std::string topic, std::string_view data,
                      std::vector<std::pair<std::string, std::string>> metadata = {});
  std::vector<DeadLetter> dead(std::size_t most = 1'000);
  // "ok", or the failure's code.
  std::string replay(const std::string& group, std::uint64_t number);
  // The same, as often as it takes: while the last turn is not written down, or nobody has the
  // group, it is refused.
  std::string replay_soon(const std::string& group, std::uint64_t number);
  // Runs the loop until it is true, 20 s at most.
  bool until(const std::function<bool()>& check);
  void run_for(std::chrono::milliseconds time);
  void stop(std::unique_ptr<Taker> taker);

  Loop loop_;  // Outlives the backend, whose answers are posted to it.
  TestFolder folder_;
  StateFolderOnDemand state_{folder_.path()};
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Broker> broker_;
};

}  // namespace weft::messaging
