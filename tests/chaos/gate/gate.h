#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "remote/testing/fault_proxy.h"
#include "remote/testing/real_server.h"

// What the gates of all capabilities have in common: see README.md.
namespace weft::gate {

using std::chrono::milliseconds;

// Of one call while a fault is on, and how much later than that it may end: a driver may first ask
// its server to stop. The guest has its answer at the deadline in any case, from the door.
inline constexpr milliseconds kDeadline{400};
inline constexpr milliseconds kSlack{2'800};
// How long a driver may take to be well again.
inline constexpr std::chrono::seconds kRecovery{20};
// How long a fault is on at least, and calls of each worker in that time at most.
inline constexpr milliseconds kFaultTime{1'500};
inline constexpr int kCallsMax = 300;
inline constexpr int kWorkers = 2;

struct Fault {
  std::string_view name;
  remote::FaultProxy::Fault proxy = remote::FaultProxy::Fault::kNone;
  enum class Server : std::uint8_t { kRuns, kFreezes, kIsKilled } server = Server::kRuns;
  // Each hits one answer only, and is on again for the next call.
  bool once = false;
};

// For failures of tests.
inline void PrintTo(const Fault& fault, std::ostream* out) {
  *out << fault.name;
}

inline constexpr std::array<Fault, 9> kFaults{{
    {.name = "refused", .proxy = remote::FaultProxy::Fault::kRefuse},
    {.name = "stalled", .proxy = remote::FaultProxy::Fault::kStall},
    {.name = "delayed", .proxy = remote::FaultProxy::Fault::kDelay},
    {.name = "sliced", .proxy = remote::FaultProxy::Fault::kSlice},
    {.name = "cut_in_an_answer", .proxy = remote::FaultProxy::Fault::kCut, .once = true},
    {.name = "cut_before_an_answer", .proxy = remote::FaultProxy::Fault::kCutAsked, .once = true},
    {.name = "throttled", .proxy = remote::FaultProxy::Fault::kThrottle},
    {.name = "server_frozen", .server = Fault::Server::kFreezes},
    {.name = "server_killed", .server = Fault::Server::kIsKilled},
}};

// A real server of a test's own, and what may happen to it.
class Server {
 public:
  virtual ~Server() = default;
  virtual std::uint16_t port() const = 0;
  // At once, as a crash does; then on the same port and data again.
  virtual void kill() = 0;
  virtual void start() = 0;
  // It runs, but does nothing.
  virtual void freeze() = 0;
  virtual void thaw() = 0;
};

// One that is a process, or acts like one.
template <class Process>
class ServerOf : public Server {
 public:
  template <class... From>
  explicit ServerOf(From&&... from) : process_(std::forward<From>(from)...) {}
  std::uint16_t port() const override { return process_.port(); }
  void kill() override { process_.kill(); }
  void start() override { process_.start(); }
  void freeze() override { process_.freeze(); }
  void thaw() override { process_.thaw(); }

 protected:
  Process process_;
};

using OneProcess = ServerOf<remote::RealServer>;

// How a driver of a capability stands before the gate.
template <class Backend>
struct Driver {
  std::string name;
  // A server of the test's own, with what the driver needs of it.
  std::function<std::unique_ptr<Server>()> start;
  // On that port of 127.0.0.1.
  std::function<std::unique_ptr<Backend>(std::uint16_t port)> backend;
};

template <class Backend>
void PrintTo(const Driver<Backend>& driver, std::ostream* out) {
  *out << driver.name;
}

// Whether a call that failed under a fault may say so.
inline bool tells_of_fault(Errc code) {
  return code == Errc::kUnavailable || code == Errc::kTimeout || code == Errc::kLimit;
}

// What happens to the server and the way to it.
class Way {
 public:
  explicit Way(std::unique_ptr<Server> server)
      : server_(std::move(server)), proxy_(server_->port()) {}

  std::uint16_t port() const { return proxy_.port(); }

  void begin(const Fault& fault) {
    proxy_.set(fault.proxy);
    if (fault.server == Fault::Server::kFreezes) server_->freeze();
    if (fault.server == Fault::Server::kIsKilled) server_->kill();
  }
  // For one that hits a single answer: another.
  void again(const Fault& fault) {
    if (fault.once) proxy_.set(fault.proxy);
  }
  void end(const Fault& fault) {
    proxy_.set(remote::FaultProxy::Fault::kNone);
    if (fault.server == Fault::Server::kFreezes) server_->thaw();
    if (fault.server == Fault::Server::kIsKilled) server_->start();
  }

 private:
  std::unique_ptr<Server> server_;
  remote::FaultProxy proxy_;
};

// Values by key that workers wrote, and what became of each: a key has what was acknowledged last,
// or one of those whose write failed since. Of any thread.
class Ledger {
 public:
  void acknowledged(const std::string& key, std::string value) {
    std::lock_guard hold(mutex_);
    values_[key] = {std::move(value)};
  }
  // May be there now, or come later.
  void uncertain(const std::string& key, std::string value) {
    std::lock_guard hold(mutex_);
    std::set<std::string>& values = values_[key];
    if (values.empty()) values.insert("");  // There was none.
    values.insert(std::move(value));
  }
  // Asks for each; "" says that there is none.
  void check(const std::function<std::string(const std::string&)>& get) const {
    for (const auto& [key, values] : values_) {
      std::string value = get(key);
      EXPECT_TRUE(values.contains(value)) << key << ": " << value.substr(0, 200);
    }
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::set<std::string>> values_;
};

// Calls that change a number: done so often at least, and so often at most.
struct Count {
  std::atomic<std::int64_t> acknowledged{0};
  std::atomic<std::int64_t> uncertain{0};

  void add(bool done) { ++(done ? acknowledged : uncertain); }
  void check(std::int64_t count) const {
    EXPECT_GE(count, acknowledged);
    EXPECT_LE(count, acknowledged + uncertain);
  }
};

// Runs `work(worker)` on threads of their own, and waits for all.
inline void on_each_worker(const std::function<void(int)>& work) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < kWorkers; ++i) threads.emplace_back([&work, i] { work(i); });
}

// Calls of one worker while the fault is on: `call` is asked to make one, and to end it in time.
inline void call_for_a_while(Way& way, const Fault& fault, const std::function<void()>& call) {
  Deadline end = Deadline::after(kFaultTime);
  for (int i = 0; i < kCallsMax && !end.passed(); ++i) {
    way.again(fault);
    auto began = Deadline::Clock::now();
    call();
    auto took = std::chrono::duration_cast<milliseconds>(Deadline::Clock::now() - began);
    EXPECT_LE(took, kDeadline + kSlack);
  }
}

// What an attempt gives: the first that is none but a failure, or the last. On a machine that is
// busy a server may be late without any fault.
template <class Attempt>
auto when_well(Attempt attempt) {
  Deadline end = Deadline::after(kRecovery);
  auto got = attempt();
  while (!got && !end.passed()) got = attempt();
  return got;
}

// Tries until it is true.
inline bool recovers(const std::function<bool()>& attempt) {
  Deadline end = Deadline::after(kRecovery);
  do {
    if (attempt()) return true;
  } while (!end.passed());
  return false;
}

}  // namespace weft::gate
