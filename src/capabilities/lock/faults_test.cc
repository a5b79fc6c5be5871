// Shows what becomes of locks when their server or the way to it fails: a typed error in time or a
// lock that is really held, never two holders, and recovery by itself.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>
#include <boost/json.hpp>
#include <set>

#include "capabilities/keyvalue/drivers/redis/server.h"
#include "capabilities/lock/conformance.h"
#include "capabilities/lock/testing.h"
#include "remote/etcd/client.h"
#include "remote/etcd/testing.h"
#include "remote/nats/testing.h"
#include "remote/testing/fault_proxy.h"

namespace weft::lock {
namespace {

using remote::FaultProxy;
using remote::RealServer;
using Fault = FaultProxy::Fault;

// A server that can be killed, whatever it is.
struct Server {
  virtual ~Server() = default;
  virtual std::uint16_t port() const = 0;
  virtual void restart() = 0;
};
template <class S>
struct ServerOf final : Server {
  template <class... A>
  explicit ServerOf(A... arguments) : server(arguments...) {}
  std::uint16_t port() const override { return server.port(); }
  void restart() override {
    server.kill();
    server.start();
  }
  S server;
};

struct Faulty {
  std::string name;
  std::function<std::unique_ptr<Server>()> server;
  std::unique_ptr<Backend> (*at)(std::uint16_t port, const std::string& prefix);
};

class LockFaults : public ::testing::TestWithParam<Faulty> {
 protected:
  // One for all tests of a driver, whose locks are called otherwise each.
  static Server& server() {
    static std::map<std::string, std::unique_ptr<Server>> servers;
    std::unique_ptr<Server>& there = servers[GetParam().name];
    if (there == nullptr) there = GetParam().server();
    return *there;
  }

  FaultProxy proxy_{server().port()};
  Loop loop_;
  std::unique_ptr<Backend> faulty_ = GetParam().at(proxy_.port(), "faults");
  std::unique_ptr<Backend> direct_ = GetParam().at(server().port(), "faults");
};

TEST_P(LockFaults, GiveATypedErrorInTimeOrALockThatIsHeld) {
  Client through(loop_, *faulty_);
  Client beside(loop_, *direct_);
  std::uint64_t last = 0;
  for (Fault fault : {Fault::kNone, Fault::kDelay, Fault::kSlice, Fault::kThrottle, Fault::kCut,
                      Fault::kCutAsked, Fault::kStall, Fault::kRefuse}) {
    SCOPED_TRACE(static_cast<int>(fault));
    // On a connection that is there.
    {
      EXPECT_TRUE(through.take("warm", 3s).has_value());
    }
    proxy_.set(fault);
    auto begin = Clock::now();
    auto held = through.take("contended", 4s, 0ms);
    EXPECT_LT(Clock::now() - begin, 20s);
    bool passes = fault == Fault::kNone || fault == Fault::kDelay || fault == Fault::kSlice ||
                  fault == Fault::kThrottle;
    EXPECT_TRUE(held.has_value() || !passes) << held.error().message();
    if (held) {
      EXPECT_GT((*held)->token(), last);
      last = (*held)->token();
      auto other = beside.try_it("contended");
      EXPECT_TRUE(other == nullptr || !(*held)->held());
    } else {
      EXPECT_THAT(held.error().code(), ::testing::AnyOf(Errc::kUnavailable, Errc::kTimeout));
    }
    proxy_.set(Fault::kNone);
    if (held) held->reset();
    // Whatever was left behind ends by itself.
    auto next = beside.take("contended", 2500ms, 20s);
    ASSERT_TRUE(next.has_value()) << next.error().message();
    EXPECT_GT((*next)->token(), last);
    last = (*next)->token();
    EXPECT_TRUE(beside.release(**next));
    Deadline limit = Deadline::after(20s);
    while (!limit.passed() && !through.take("back", 3s)) {
    }
    EXPECT_FALSE(limit.passed());
  }
}

// The server has done it, and is asked again.
TEST_P(LockFaults, AReleaseWhoseAnswerIsLostIsNoLoss) {
  Client through(loop_, *faulty_);
  Client beside(loop_, *direct_);
  auto held = through.take("let go");
  ASSERT_TRUE(held.has_value()) << held.error().message();
  // Once.
  proxy_.set(Fault::kCutAsked);
  EXPECT_TRUE(through.release(**held));
  EXPECT_NE(beside.try_it("let go"), nullptr);
  // What nobody else could have had, and what somebody has.
  held = through.take("lost", 1s);
  ASSERT_TRUE(held.has_value()) << held.error().message();
  EXPECT_TRUE(await(loop_, (*held)->lost()).has_value());
  auto next = beside.take("lost");
  ASSERT_TRUE(next.has_value()) << next.error().message();
  proxy_.set(Fault::kCutAsked);
  EXPECT_FALSE(through.release(**held));
  EXPECT_TRUE((*next)->held());
}

TEST_P(LockFaults, AHoldGoesOnByItsOwnClockAndIsLostInTime) {
  Client through(loop_, *faulty_);
  auto held = through.take("alone", 3s);
  ASSERT_TRUE(held.has_value()) << held.error().message();
  proxy_.set(Fault::kRefuse);
  EXPECT_TRUE((*held)->held());
  auto renewed = await(loop_, (*held)->renew(Client::soon(), 30s));
  ASSERT_FALSE(renewed.has_value());
  EXPECT_EQ(renewed.error().code(), Errc::kUnavailable);
  EXPECT_LE((*held)->remaining(), 3s);
  EXPECT_TRUE(await(loop_, (*held)->lost()).has_value());
  proxy_.set(Fault::kNone);
}

// A renewal that nobody waits for any more reaches the server after the next one.
TEST_P(LockFaults, ARenewalThatComesLateShortensNothing) {
  Client through(loop_, *faulty_);
  Client beside(loop_, *direct_);
  std::vector<std::pair<LockName, std::string>> held;
  // Whichever of a driver's steps it is that is held up.
  for (Milliseconds step : {0ms, 70ms, 170ms}) {
    SCOPED_TRACE(step.count());
    auto [lock, holder] =
        held.emplace_back(LockName{"app", "late " + std::to_string(step.count())}, new_holder());
    Deadline limit = Deadline::after(20s);
    while (!limit.passed() && !through.take("warm", 3s)) {
    }
    auto taken = await(loop_, beside.store().take({loop_, Client::soon()}, lock, holder, 30s));
    ASSERT_TRUE(taken.has_value()) << taken.error().message();
    ASSERT_NE(taken->token, 0U);
    proxy_.set(step == 0ms ? Fault::kStall : Fault::kDelay);
    Timer stall(loop_, [this] { proxy_.set(Fault::kStall); });
    if (step != 0ms) stall.arm(Deadline::after(step));
    auto late =
        await(loop_, through.store().renew({loop_, Deadline::after(400ms)}, lock, holder, 2s));
    if (!late) {
      EXPECT_THAT(late.error().code(), ::testing::AnyOf(Errc::kTimeout, Errc::kUnavailable));
    }
    auto renewed = await(loop_, beside.store().renew({loop_, Client::soon()}, lock, holder, 30s));
    ASSERT_TRUE(renewed.has_value()) << renewed.error().message();
    EXPECT_TRUE(*renewed);
    proxy_.set(Fault::kNone);
  }
  // The first one's time is that of all.
  for (const auto& [lock, holder] : held) {
    SCOPED_TRACE(lock.name);
    auto other = beside.take(lock.name, 3s, lock.name == "late 0" ? 5s : 0ms);
    ASSERT_FALSE(other.has_value());
    EXPECT_EQ(other.error().code(), Errc::kTimeout) << other.error().message();
    auto renewed = await(loop_, beside.store().renew({loop_, Client::soon()}, lock, holder, 1s));
    EXPECT_TRUE(renewed.has_value() && *renewed);
  }
}

TEST_P(LockFaults, AServerThatIsKilledKeepsLocksAndTokens) {
  Client client(loop_, *direct_);
  auto held = client.take("kept", 120s);
  ASSERT_TRUE(held.has_value()) << held.error().message();
  server().restart();
  Deadline limit = Deadline::after(20s);
  auto other = client.take("kept", 30s, 0ms);
  while (!other && other.error().code() != Errc::kTimeout && !limit.passed()) {
    other = client.take("kept", 30s, 0ms);
  }
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code(), Errc::kTimeout) << other.error().message();
  EXPECT_TRUE(client.renew(**held, 30s));
  EXPECT_TRUE(client.release(**held));
  auto next = client.take("kept");
  ASSERT_TRUE(next.has_value()) << next.error().message();
  EXPECT_GT((*next)->token(), (*held)->token());
}

TEST_P(LockFaults, AreToldToWhoAsksWhetherTheServerCanBeUsed) {
  EXPECT_FALSE(faulty_->health()->read().asked);
  Result<void> reached = reach_now(loop_, *faulty_);
  EXPECT_TRUE(reached.has_value()) << reached.error().message();
  EXPECT_TRUE(faulty_->health()->read().up);
  proxy_.set(Fault::kRefuse);
  reached = reach_now(loop_, *faulty_);
  ASSERT_FALSE(reached.has_value());
  EXPECT_THAT(reached.error().code(), ::testing::AnyOf(Errc::kUnavailable, Errc::kTimeout));
  EXPECT_FALSE(faulty_->health()->read().up);
}

// Ends all leases of a cluster as soon as they are there, but for those that were there before it.
class Reaper {
 public:
  explicit Reaper(Loop& loop, std::uint16_t port)
      : client_(std::make_shared<remote::etcd::Client>(loop, settings(port))) {
    look();
  }
  std::size_t reaped() const { return reaped_; }

 private:
  using Object = boost::json::object;
  static std::shared_ptr<const remote::etcd::Settings> settings(std::uint16_t port) {
    return std::make_shared<remote::etcd::Settings>(
        remote::etcd::Settings{.servers = {"http://127.0.0.1:" + std::to_string(port)}});
  }
  void ask(std::string_view path, std::string body, std::function<void(const Object&)> then) {
    client_->ask(
        path, std::move(body), lock::Client::soon(), remote::etcd::Client::Repeat::kYes,
        [then = std::move(then)](Result<Object> answer) { then(answer ? *answer : Object()); });
  }
  void look() {
    ask("lease/leases", "{}", [this](const Object& answer) {
      const boost::json::array* leases = remote::etcd::array_in(answer, "leases");
      for (std::size_t i = 0; leases != nullptr && i < leases->size(); ++i) {
        std::uint64_t id = remote::etcd::number_in(leases->at(i).as_object(), "ID");
        if (!looked_) spared_.insert(id);
        if (spared_.contains(id)) continue;
        ask("lease/revoke", fmt::format(R"({{"ID":"{}"}})", id), [](const Object&) {});
        ++reaped_;
      }
      looked_ = true;
      look();
    });
  }

  bool looked_ = false;
  std::set<std::uint64_t> spared_;
  std::size_t reaped_ = 0;
  std::shared_ptr<remote::etcd::Client> client_;  // Gone first: it answers no more.
};

// Between the lease and what is put on it as long passes as the lease lives.
TEST(EtcdLocks, SayThatLaterMayWorkWhereALeaseEndedBeforeItWasUsed) {
  remote::etcd::Server& server = remote::etcd::shared_server();
  // One behind the other: longer than the reaper takes on a busy machine.
  std::array<std::unique_ptr<FaultProxy>, 4> way;
  std::uint16_t port = server.port();
  for (auto& each : way) {
    each = std::make_unique<FaultProxy>(port);
    port = each->port();
  }
  Loop loop;
  auto slow = etcd_at(port, "reaped");
  auto direct = etcd_at(server.port(), "reaped");
  Client through(loop, *slow);
  Client beside(loop, *direct);
  LockName lock{"app", "renewed"};
  auto taken = await(loop, beside.store().take({loop, Client::soon()}, lock, "aa", 30s));
  ASSERT_TRUE(taken.has_value()) << taken.error().message();
  for (auto& each : way) each->set(Fault::kDelay);
  Reaper reaper(loop, server.port());
  auto held = through.take("taken");
  ASSERT_FALSE(held.has_value());
  EXPECT_EQ(held.error().code(), Errc::kUnavailable) << held.error().message();
  auto renewed = await(loop, through.store().renew({loop, Client::soon()}, lock, "aa", 30s));
  ASSERT_FALSE(renewed.has_value());
  EXPECT_EQ(renewed.error().code(), Errc::kUnavailable) << renewed.error().message();
  EXPECT_GT(reaper.reaped(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    lock, LockFaults,
    ::testing::Values(
        Faulty{"etcd", [] { return std::make_unique<ServerOf<remote::etcd::Server>>(); }, etcd_at},
        Faulty{
            "redis",
            [] { return std::make_unique<ServerOf<RealServer>>(keyvalue::redis::server_command); },
            redis_at},
        Faulty{"nats",
               [] { return std::make_unique<ServerOf<RealServer>>(remote::nats::server_command); },
               nats_at}),
    [](const auto& faulty) { return faulty.param.name; });

}  // namespace
}  // namespace weft::lock
