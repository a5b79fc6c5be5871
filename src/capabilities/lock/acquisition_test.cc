// Shows that nothing is left of a wait that was given up: neither a place among those who wait, nor
// a lock that came after, nor one of those who wait for a loss.
#include "capabilities/lock/acquisition.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "capabilities/lock/conformance.h"
#include "capabilities/lock/drivers/table.h"

namespace weft::lock {
namespace {

namespace asio = boost::asio;

// Answers when the test says so; of two holders the first has the lock.
class SlowStore final : public Store {
 public:
  Answer<Attempt> take(Request, const LockName&, const std::string& holder, Milliseconds) override {
    taken.push_back(holder);
    return takes.emplace_back().answer();
  }
  Answer<bool> renew(Request, const LockName&, const std::string&, Milliseconds) override {
    return renewals.emplace_back().answer();
  }
  Answer<bool> release(Request, const LockName&, const std::string& holder) override {
    released.push_back(holder);
    return true;
  }

  std::vector<Promise<Attempt>> takes;
  std::vector<Promise<bool>> renewals;
  std::vector<std::string> taken;
  std::vector<std::string> released;
};

// Has the locks' store stay where the test sees it.
class Borrowed final : public Store {
 public:
  explicit Borrowed(Store& store) : store_(store) {}
  Answer<Attempt> take(Request request, const LockName& lock, const std::string& holder,
                       Milliseconds ttl) override {
    return store_.take(request, lock, holder, ttl);
  }
  Answer<bool> renew(Request request, const LockName& lock, const std::string& holder,
                     Milliseconds ttl) override {
    return store_.renew(request, lock, holder, ttl);
  }
  Answer<bool> release(Request request, const LockName& lock, const std::string& holder) override {
    return store_.release(request, lock, holder);
  }

 private:
  Store& store_;
};

class WaitsForLocks : public ::testing::Test {
 protected:
  using Held = std::unique_ptr<Hold>;
  static constexpr auto kWait = 20s;

  void run() {
    loop_.context().restart();
    loop_.context().poll();
  }
  // Begins to wait, and gives up as a call does that its caller cancels.
  template <class T>
  void give_up(Soon<T> soon) {
    ASSERT_EQ(soon.index(), 1U);
    asio::cancellation_signal stop;
    bool ended = false;
    asio::co_spawn(loop_.executor(), std::move(std::get<1>(soon)),
                   asio::bind_cancellation_slot(
                       stop.slot(), [&](const std::exception_ptr&, const auto&) { ended = true; }));
    run();
    EXPECT_FALSE(ended);
    stop.emit(asio::cancellation_type::all);
    run();
    EXPECT_TRUE(ended);
  }
  Soon<Held> begin() { return acquire(locks_, {lock_, 30s, kWait}, Deadline::after(kWait)); }
  // One that is held, of the slow store.
  Held held(Milliseconds ttl) {
    return std::make_unique<Hold>(locks_, lock_, "1", Lease(1, Clock::now(), ttl));
  }
  bool anyone() const { return turns_->anyone(Locks::key(lock_)); }

  Loop loop_;
  const LockName lock_{"app", "lock"};
  SlowStore slow_;
  std::shared_ptr<Turns> turns_ = std::make_shared<Turns>();
  std::shared_ptr<Locks> locks_ =
      std::make_shared<Locks>(loop_, std::make_unique<Borrowed>(slow_), turns_);
};

TEST_F(WaitsForLocks, LeaveWhenTheyAreGivenUp) {
  Soon<Held> first = begin();
  give_up(begin());
  EXPECT_TRUE(anyone());
  give_up(std::move(first));
  EXPECT_FALSE(anyone());
  // Also one that nobody began to wait for.
  {
    Soon<Held> never = begin();
  }
  EXPECT_FALSE(anyone());
}

TEST_F(WaitsForLocks, ReleaseWhatComesAfterTheyAreGivenUp) {
  give_up(begin());
  ASSERT_EQ(slow_.takes.size(), 1U);
  std::move(slow_.takes[0]).fulfil(Attempt{.token = 1});
  EXPECT_EQ(slow_.released, slow_.taken);
  // Nothing where somebody else has it.
  give_up(begin());
  std::move(slow_.takes[1]).fulfil(Attempt{.again = Milliseconds(1)});
  EXPECT_EQ(slow_.released.size(), 1U);
}

TEST_F(WaitsForLocks, ReleaseWhatComesAfterTheProviderWent) {
  auto waits = promised(loop_, std::move(std::get<1>(begin())));
  auto tries = try_acquire(locks_, {"app", "other"}, Milliseconds(30s), Deadline::after(kWait));
  locks_->close();
  locks_ = nullptr;
  auto ended = await(loop_, std::move(waits));
  ASSERT_FALSE(ended.has_value());
  EXPECT_EQ(ended.error().code(), Errc::kCancelled);
  ASSERT_EQ(slow_.takes.size(), 2U);
  for (auto& each : slow_.takes) std::move(each).fulfil(Attempt{.token = 1});
  {
    auto dropped = std::move(tries);
  }
  EXPECT_EQ(slow_.released, slow_.taken);
}

TEST_F(WaitsForLocks, AreNotCountedWhenALossIsWaitedForNoMore) {
  Held hold = held(30s);
  for (std::size_t i = 0; i < 2 * kLostWaitersMax; ++i) give_up(hold->lost());
  // Those who still wait are told.
  auto lost = promised(loop_, std::move(std::get<1>(hold->lost())));
  EXPECT_TRUE(await(loop_, hold->release(Deadline::after(kWait))).has_value());
  EXPECT_TRUE(await(loop_, std::move(lost)).has_value());
}

TEST_F(WaitsForLocks, BelieveNoLongerThanARenewalThatWasNotAnswered) {
  Held hold = held(30s);
  auto renewed = hold->renew(Deadline::after(kWait), 100ms);
  EXPECT_LE(hold->remaining(), 100ms);
  // A longer one is believed when it was answered.
  std::move(slow_.renewals[0]).fulfil(true);
  auto longer = hold->renew(Deadline::after(kWait), 60s);
  EXPECT_LE(hold->remaining(), 100ms);
  std::move(slow_.renewals[1]).fulfil(true);
  EXPECT_GT(hold->remaining(), 30s);
}

}  // namespace
}  // namespace weft::lock
