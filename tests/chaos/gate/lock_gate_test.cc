// Every lock driver with a server through every fault: one holder at a time, tokens that only grow,
// a holder that finds out what it lost, and locks that can be had again.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>

#include "capabilities/answer_tasks.h"
#include "capabilities/keyvalue/drivers/redis/server.h"
#include "capabilities/keyvalue/testing.h"
#include "capabilities/lock/acquisition.h"
#include "capabilities/lock/drivers/etcd/etcd.h"
#include "capabilities/lock/drivers/nats/nats.h"
#include "capabilities/lock/drivers/redis/redis.h"
#include "gate.h"
#include "remote/etcd/testing.h"
#include "remote/nats/testing.h"

namespace weft::lock {
namespace {

using gate::Fault;
using gate::Way;
using Driver = gate::Driver<Backend>;
using Time = Clock::time_point;

// Of locks that are taken and lost while the fault is on; of one that is kept over all of it.
constexpr Milliseconds kTtl{1'000};
constexpr Milliseconds kKeptTtl{std::chrono::minutes(5)};
// For a lock that somebody else has.
constexpr Milliseconds kWait{100};
// Those that the workers take from each other.
constexpr int kLocks = 6;

// It writes each change down before it answers (`appendfsync always`): what its driver asks for to
// keep locks over a crash.
std::unique_ptr<gate::Server> start_redis() {
  return std::make_unique<gate::OneProcess>(keyvalue::redis::server_command);
}

std::unique_ptr<Backend> redis_at(std::uint16_t port) {
  redis::Settings settings;
  settings.endpoint = {"127.0.0.1", port};
  settings.silence = gate::kDeadline;
  return redis::redis_backend(std::move(settings));
}

std::unique_ptr<gate::Server> start_nats() {
  return std::make_unique<gate::OneProcess>(remote::nats::server_command);
}

std::unique_ptr<Backend> nats_at(std::uint16_t port) {
  nats::Settings settings;
  settings.server.endpoints = {{"127.0.0.1", port}};
  settings.server.silence = gate::kDeadline;
  return nats::nats_backend(std::move(settings));
}

std::unique_ptr<gate::Server> start_etcd() {
  return std::make_unique<gate::ServerOf<remote::etcd::Server>>();
}

std::unique_ptr<Backend> etcd_at(std::uint16_t port) {
  etcd::Settings settings;
  settings.server.servers = {"http://127.0.0.1:" + std::to_string(port)};
  settings.server.timeout = gate::kDeadline;
  settings.prefix = "gate";
  return etcd::etcd_backend(std::move(settings));
}

// One time that a lock was held, as its holder saw it.
struct Grant {
  std::string lock;
  std::uint64_t token = 0;
  Time asked;
  Time answered;  // From then on it believed to hold it,
  Time until;     // and until then.
};

// All that came to an end. Of any thread.
class Grants {
 public:
  void add(Grant grant) {
    std::lock_guard hold(mutex_);
    grants_.push_back(std::move(grant));
  }
  // When nobody holds a lock any more.
  void check() const {
    for (const Grant& one : grants_) {
      for (const Grant& other : grants_) {
        if (&one != &other && one.lock == other.lock) check(one, other);
      }
    }
  }
  std::size_t size() const { return grants_.size(); }

 private:
  static void check(const Grant& one, const Grant& other) {
    EXPECT_NE(one.token, other.token) << one.lock;
    if (one.answered <= other.asked) {
      EXPECT_LT(one.token, other.token) << one.lock << ": an earlier and a later token";
    }
    if (one.token < other.token) {
      EXPECT_LE(one.until, other.answered) << one.lock << ": two holders at once";
    }
  }

  mutable std::mutex mutex_;
  std::vector<Grant> grants_;
};

// A host of its own: it meets the other one at the server only.
class Worker {
 public:
  Worker(const Driver& driver, std::uint16_t port, Grants& grants, int number)
      : grants_(grants), number_(number), backend_(driver.backend(port)) {
    CHECK(backend_->open().has_value());
    locks_ = std::make_shared<Locks>(loop_, backend_->store(loop_), backend_->turns());
  }
  Worker(const Worker&) = delete;
  ~Worker() {
    end(held_);
    locks_->close();
  }

  // A lock that somebody holds, and what the holder is sure of.
  struct Held {
    std::unique_ptr<Hold> hold;
    Grant grant;
    Time promised;  // No longer than that since it was acknowledged last.
  };

  // Nothing: somebody else has it, or a fault.
  std::optional<Held> take(const std::string& name, Milliseconds ttl,
                           Milliseconds time = gate::kDeadline) {
    Time asked = Clock::now();
    Wanted wanted{{"app", name}, ttl, kWait};
    auto hold = await(acquire(locks_, std::move(wanted), Deadline::after(time)));
    if (!hold) {
      check(hold.error());
      return std::nullopt;
    }
    Time answered = Clock::now();
    std::uint64_t token = (*hold)->token();
    EXPECT_NE(token, 0U);
    Held held{*std::move(hold), {name, token, asked, answered, answered}, answered + ttl};
    believe(held);
    return held;
  }

  // Whether it was; nothing: nobody knows. One that is not any more has told its holder.
  std::optional<bool> renew(Held& held, Milliseconds ttl, Milliseconds time = gate::kDeadline) {
    auto renewed = await(held.hold->renew(Deadline::after(time), ttl));
    Time answered = Clock::now();
    if (renewed && !*renewed) {
      EXPECT_FALSE(held.hold->held());
      EXPECT_EQ(held.hold->remaining().count(), 0);
      held.grant.until = std::min(held.grant.until, answered);
      return false;
    }
    if (!renewed) check(renewed.error());
    if (renewed) held.promised = answered + ttl;
    believe(held);
    return renewed ? std::optional(true) : std::nullopt;
  }

  // Whether it was held until now; nothing: nobody knows. It is held no more in any case.
  std::optional<bool> release(Held& held, Milliseconds time = gate::kDeadline) {
    held.grant.until = std::min(held.grant.until, Clock::now());
    auto released = await(held.hold->release(Deadline::after(time)));
    EXPECT_FALSE(held.hold->held());
    grants_.add(held.grant);
    if (released) return *released;
    check(released.error());
    return std::nullopt;
  }

  // Waits for the loss of a lock that nobody renews any more.
  void lose(Held& held) {
    Time began = Clock::now();
    auto lost = await(held.hold->lost());
    EXPECT_TRUE(lost.has_value());
    EXPECT_FALSE(held.hold->held());
    // A holder that waits is told when its time has passed, whatever the server does.
    EXPECT_LE(Clock::now(), std::max(held.grant.until, began) + gate::kSlack);
  }

  // One call while the fault is on: a lock is taken, renewed, and released, and then the next one.
  void step() {
    if (!held_) {
      held_ = take("shared " + std::to_string((number_ + ++taken_) % kLocks), kTtl);
      renewed_ = false;
    } else if (!std::exchange(renewed_, true)) {
      // One that is lost is released all the same, which says so.
      lost_ = renew(*held_, kTtl) == false;
    } else {
      std::optional<bool> released = release(*held_);
      if (std::exchange(lost_, false)) EXPECT_NE(released, true);
      held_.reset();
    }
  }
  // Lets go what the last step left.
  void rest() { end(held_); }

 private:
  template <class T>
  Result<T> await(Answer<T> answer) {
    return keyvalue::await(loop_, std::move(answer));
  }
  template <class T>
  Result<T> await(Soon<T> soon) {
    if (auto* there = std::get_if<0>(&soon)) return std::move(*there);
    return await(promised(loop_, std::move(std::get<1>(soon))));
  }

  static void check(const Error& error) {
    EXPECT_TRUE(gate::tells_of_fault(error.code())) << error.message();
  }
  // What its own clock says.
  static void believe(Held& held) {
    Time now = Clock::now();
    held.grant.until = now + held.hold->remaining();
    EXPECT_LE(held.grant.until, held.promised);
  }
  void end(std::optional<Held>& held) {
    if (held) release(*held, gate::kRecovery);
    held.reset();
  }

  Grants& grants_;
  int number_;
  int taken_ = 0;
  bool renewed_ = false;
  bool lost_ = false;
  Loop loop_;  // Outlives the backend, whose answers are posted to it.
  std::unique_ptr<Backend> backend_;
  std::shared_ptr<Locks> locks_;  // Shared with the holds.
  std::optional<Held> held_;
};

class LockGate : public ::testing::TestWithParam<std::tuple<Driver, Fault>> {
 protected:
  using Held = Worker::Held;

  // Takes the lock, whoever had it, as soon as it can be had.
  static std::optional<Held> have(Worker& worker, const std::string& name, Milliseconds ttl) {
    return gate::when_well([&] { return worker.take(name, ttl, gate::kRecovery); });
  }
  // Takes each of the shared locks, and gives it back.
  static void have_all(Worker& worker) {
    for (int i = 0; i < kLocks; ++i) {
      std::string name = "shared " + std::to_string(i);
      EXPECT_TRUE(gate::recovers([&] {
        std::optional<Held> held = worker.take(name, kTtl, gate::kRecovery);
        return held && worker.release(*held, gate::kRecovery).value_or(false);
      })) << name;
    }
  }
};

TEST_P(LockGate, HasOneHolderAndTokensThatGrow) {
  const auto& [driver, fault] = GetParam();
  Way way(driver.start());
  Grants grants;
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < gate::kWorkers; ++i) {
    workers.push_back(std::make_unique<Worker>(driver, way.port(), grants, i));
    have_all(*workers.back());
  }
  Worker& first = *workers.front();
  Worker& second = *workers.back();
  // One lock is kept over the fault, another one is left alone with it.
  std::optional<Held> kept = have(first, "kept", kKeptTtl);
  ASSERT_TRUE(kept.has_value());
  std::optional<Held> left = have(second, "left", kTtl);
  ASSERT_TRUE(left.has_value());

  way.begin(fault);
  gate::on_each_worker([&](int i) {
    gate::call_for_a_while(way, fault, [&, turn = 0]() mutable {
      if (++turn % 4 != 0) {
        workers[i]->step();
      } else if (i == 0) {
        EXPECT_NE(first.renew(*kept, kKeptTtl), false);
      } else {
        EXPECT_FALSE(workers[i]->take("kept", kTtl).has_value());
      }
    });
  });
  second.lose(*left);
  way.end(fault);

  // A server that was killed has the lock still, and nobody else was given it.
  auto renew = [&](Held& held) {
    return gate::when_well([&] { return first.renew(held, kKeptTtl, gate::kRecovery); });
  };
  EXPECT_EQ(renew(*kept), true);
  EXPECT_FALSE(second.take("kept", kTtl).has_value());
  // The one that was lost is somebody else's, and stays so whatever its first holder does.
  std::optional<Held> found = have(first, "left", kKeptTtl);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(second.renew(*left, kTtl), false);
  EXPECT_NE(second.release(*left, gate::kRecovery), true);
  EXPECT_EQ(renew(*found), true);
  first.release(*found, gate::kRecovery);

  // Well: both go on by themselves, also with what was kept. A release that is not answered leaves
  // the lock to its time to live, which is a short one then.
  for (const auto& worker : workers) {
    worker->rest();
    have_all(*worker);
  }
  first.renew(*kept, kTtl, gate::kRecovery);
  first.release(*kept, gate::kRecovery);
  std::optional<Held> next = have(second, "kept", kTtl);
  ASSERT_TRUE(next.has_value());
  second.release(*next, gate::kRecovery);
  grants.check();
}

INSTANTIATE_TEST_SUITE_P(
    drivers, LockGate,
    ::testing::Combine(::testing::Values(Driver{"etcd", start_etcd, etcd_at},
                                         Driver{"redis", start_redis, redis_at},
                                         Driver{"nats", start_nats, nats_at}),
                       ::testing::ValuesIn(gate::kFaults)),
    [](const auto& each) {
      return std::get<0>(each.param).name + "_" + std::string(std::get<1>(each.param).name);
    });

}  // namespace
}  // namespace weft::lock
