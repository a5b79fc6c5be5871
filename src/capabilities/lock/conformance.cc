// Shows for every driver that a lock has one holder, whose token is larger than those before, and
// that it is lost, waited for and released as the README says.
#include "capabilities/lock/conformance.h"

#include <boost/asio/io_context.hpp>
#include <vector>

#include "io/timer.h"

namespace weft::lock {
namespace {

// Runs the loop until the lock is lost by its holder's clock.
void wait_for_loss(Loop& loop, Hold& hold) {
  EXPECT_TRUE(await(loop, hold.lost()).has_value());
  EXPECT_FALSE(hold.held());
}

TEST_P(Conformance, ALockHasOneHolder) {
  Client one(loop_, *backend_);
  Client other(loop_, *backend_);
  auto held = one.take("orders/1");
  ASSERT_TRUE(held.has_value()) << held.error().message();
  EXPECT_TRUE((*held)->held());
  EXPECT_GT((*held)->remaining(), 10s);
  EXPECT_LE((*held)->remaining(), 30s);
  EXPECT_EQ(other.try_it("orders/1"), nullptr);
  EXPECT_EQ(one.try_it("orders/1"), nullptr);
  // Another lock, and the same name of somebody else's.
  EXPECT_NE(other.try_it("orders/2"), nullptr);
  EXPECT_NE(other.try_it("orders/1", 30s, "other-app"), nullptr);
  EXPECT_TRUE(one.release(**held));
  EXPECT_FALSE((*held)->held());
  EXPECT_EQ((*held)->remaining(), 0ms);
  EXPECT_FALSE(one.release(**held));
  auto next = other.try_it("orders/1");
  ASSERT_NE(next, nullptr);
  EXPECT_GT(next->token(), (*held)->token());
}

TEST_P(Conformance, TokensGrowWhoeverTakesIt) {
  Client one(loop_, *backend_);
  Client other(loop_, *backend_);
  std::uint64_t last = 0;
  for (int i = 0; i < 20; ++i) {
    Client& client = i % 3 == 0 ? one : other;
    auto held = client.try_it("counted");
    ASSERT_NE(held, nullptr);
    EXPECT_GT(held->token(), last);
    last = held->token();
    EXPECT_TRUE(client.release(*held));
  }
}

TEST_P(Conformance, TokensGrowOverARestart) {
  std::uint64_t before = 0;
  {
    Client client(loop_, *backend_);
    auto held = client.take("kept", 1500ms);
    ASSERT_TRUE(held.has_value()) << held.error().message();
    before = (*held)->token();
    wait_for_loss(loop_, **held);
  }
  backend_ = nullptr;
  backend_ = GetParam().make(state_);
  ASSERT_TRUE(backend_->open().has_value());
  Client client(loop_, *backend_);
  auto held = client.take("kept");
  ASSERT_TRUE(held.has_value()) << held.error().message();
  EXPECT_GT((*held)->token(), before);
}

TEST_P(Conformance, WhoWaitsIsServedInOrder) {
  Client client(loop_, *backend_);
  auto first = client.take("queue");
  ASSERT_TRUE(first.has_value());
  auto second = client.begin({"app", "queue"}, 30s, 20s);
  auto third = client.begin({"app", "queue"}, 30s, 20s);
  EXPECT_EQ(second.index(), 1U);  // It waits.
  // Who only tries does not overtake them.
  EXPECT_EQ(client.try_it("queue"), nullptr);
  EXPECT_TRUE(client.release(**first));
  auto held = await(loop_, std::move(second));
  ASSERT_TRUE(held.has_value()) << held.error().message();
  EXPECT_GT((*held)->token(), (*first)->token());
  // Its drop is a release.
  std::uint64_t token = (*held)->token();
  held->reset();
  auto last = await(loop_, std::move(third));
  ASSERT_TRUE(last.has_value()) << last.error().message();
  EXPECT_GT((*last)->token(), token);
  EXPECT_FALSE(client.turns().anyone(Locks::key({"app", "queue"})));
}

TEST_P(Conformance, AWaitHasItsLimit) {
  Client client(loop_, *backend_);
  auto held = client.take("busy");
  ASSERT_TRUE(held.has_value());
  for (Milliseconds wait : {0ms, 150ms}) {
    auto begin = Clock::now();
    auto none = client.take("busy", 30s, wait);
    ASSERT_FALSE(none.has_value());
    EXPECT_EQ(none.error().code(), Errc::kTimeout);
    EXPECT_GE(Clock::now() - begin, wait);
    EXPECT_LT(Clock::now() - begin, 10s);
  }
  // One that waits behind another does not wait for that one's limit.
  auto long_wait = client.begin({"app", "busy"}, 30s, 20s);
  auto none = client.take("busy", 30s, 100ms);
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code(), Errc::kTimeout);
  EXPECT_TRUE(client.release(**held));
  EXPECT_TRUE(await(loop_, std::move(long_wait)).has_value());
}

TEST_P(Conformance, ALockThatIsNotRenewedIsLost) {
  Client one(loop_, *backend_);
  Client other(loop_, *backend_);
  auto old = one.take("short", 1500ms);
  ASSERT_TRUE(old.has_value()) << old.error().message();
  auto lost = (*old)->lost();
  auto next = other.take("short");
  ASSERT_TRUE(next.has_value()) << next.error().message();
  // Whoever lost it knows before another has it.
  EXPECT_FALSE((*old)->held());
  EXPECT_TRUE(await(loop_, std::move(lost)).has_value());
  EXPECT_GT((*next)->token(), (*old)->token());
  EXPECT_FALSE(one.renew(**old, 30s));
  EXPECT_FALSE(one.release(**old));
  old->reset();
  EXPECT_TRUE((*next)->held());
  EXPECT_EQ(one.try_it("short"), nullptr);
}

TEST_P(Conformance, ARenewedLockIsHeldForTheNewTime) {
  Client one(loop_, *backend_);
  Client other(loop_, *backend_);
  auto held = one.take("long", 3s);
  ASSERT_TRUE(held.has_value());
  std::uint64_t token = (*held)->token();
  auto was_until = Clock::now() + (*held)->remaining();
  ASSERT_TRUE(one.renew(**held, 60s));
  EXPECT_EQ((*held)->token(), token);
  EXPECT_GT((*held)->remaining(), 40s);
  auto none = other.take("long", 30s, 4s);
  EXPECT_GT(Clock::now(), was_until);
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code(), Errc::kTimeout);
  // And for less.
  ASSERT_TRUE(one.renew(**held, 1500ms));
  auto next = other.take("long");
  ASSERT_TRUE(next.has_value()) << next.error().message();
  EXPECT_FALSE((*held)->held());
}

TEST_P(Conformance, ADriversStepsCanBeRepeated) {
  Client client(loop_, *backend_);
  Request request{loop_, Client::soon()};
  LockName lock{"app", "repeated"};
  std::string holder = new_holder();
  std::string other = new_holder();
  Store& store = client.store();
  auto first = await(loop_, store.take(request, lock, holder, 30s));
  ASSERT_TRUE(first.has_value()) << first.error().message();
  EXPECT_NE(first->token, 0U);
  EXPECT_EQ(await(loop_, store.take(request, lock, other, 30s))->token, 0U);
  EXPECT_GT(await(loop_, store.take(request, lock, other, 30s))->again, 0ms);
  // What is not its own stays.
  EXPECT_FALSE(*await(loop_, store.renew(request, lock, other, 30s)));
  EXPECT_FALSE(*await(loop_, store.release(request, lock, other)));
  EXPECT_TRUE(*await(loop_, store.renew(request, lock, holder, 30s)));
  EXPECT_TRUE(*await(loop_, store.release(request, lock, holder)));
  EXPECT_FALSE(*await(loop_, store.release(request, lock, holder)));
  EXPECT_FALSE(*await(loop_, store.renew(request, lock, holder, 30s)));
}

TEST_P(Conformance, ALossIsToldToThoseWhoWaitForIt) {
  Client client(loop_, *backend_);
  auto held = client.take("watched");
  ASSERT_TRUE(held.has_value());
  std::vector<Soon<void>> lost;
  for (std::size_t i = 0; i < kLostWaitersMax; ++i) lost.push_back((*held)->lost());
  auto beyond = (*held)->lost();
  auto refused = await(loop_, std::move(beyond));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Errc::kLimit);
  EXPECT_TRUE(client.release(**held));
  for (auto& each : lost) EXPECT_TRUE(await(loop_, std::move(each)).has_value());
  EXPECT_TRUE(await(loop_, (*held)->lost()).has_value());
}

TEST_P(Conformance, AnyNameIsOneOfItsOwn) {
  Client client(loop_, *backend_);
  std::vector<Client::Held> all;
  for (std::string name :
       {std::string("a"), std::string("a/b"), std::string("a b"), std::string("a:b"),
        std::string("a%2Fb"), std::string("a{b}"), std::string("A"), std::string("\xc3\xa4*>."),
        std::string(kNameBytesMax, 'x')}) {
    auto held = client.try_it(name);
    ASSERT_NE(held, nullptr) << name;
    EXPECT_EQ(client.try_it(name), nullptr) << name;
    all.push_back(std::move(held));
  }
}

}  // namespace
}  // namespace weft::lock
