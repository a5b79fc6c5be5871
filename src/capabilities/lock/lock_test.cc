// Shows what a component sees of weft:lock: whose locks it reaches, its bounds and errors, and that
// what it leaves behind is released.
#include "capabilities/lock/lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/lock/drivers/table.h"
#include "capabilities/testing.h"
#include "wit/weft/lock_0_1_0/async_locks.h"
#include "wit/weft/lock_0_1_0/locks.h"

namespace weft::lock {
namespace {

namespace wit = ::weft::wit::weft::lock_0_1_0;
using wit::locks::Error;
template <class T>
using Or = std::expected<T, Error>;
using Handle = std::uint32_t;

constexpr std::uint64_t kSecond = 1'000'000'000;

// Lets tasks whose calls have ended end too, before their instance goes.
class TestGuest : public weft::TestGuest {
 public:
  using weft::TestGuest::TestGuest;
  ~TestGuest() override {
    loop().context().restart();
    loop().context().poll();
  }
};

DriverChoice choice(std::string driver, std::string scope) {
  return {std::move(driver), {{"scope", Secret(std::move(scope))}}};
}

class LocksOfComponents : public ::testing::TestWithParam<std::string_view> {
 protected:
  static Use use(std::vector<std::string> names) { return {.names = std::move(names)}; }

  const Offer& offer() const { return offer_of(capability_, GetParam()); }
  Or<Handle> acquire(TestGuest& guest, std::string_view name, std::uint64_t ttl = 30 * kSecond,
                     std::uint64_t wait = 0) {
    auto answer = guest.call<Or<Handle>>(offer(), "acquire", name, ttl, wait);
    CHECK(answer.has_value());
    return *std::move(answer);
  }
  Or<std::optional<Handle>> try_acquire(TestGuest& guest, std::string_view name) {
    auto answer = guest.call<Or<std::optional<Handle>>>(offer(), "try-acquire", name, 30 * kSecond);
    CHECK(answer.has_value());
    return *std::move(answer);
  }
  template <class T, class... A>
  T method(TestGuest& guest, std::string_view name, Handle guard, const A&... arguments) {
    auto answer = guest.call<T>(offer(), "[method]guard." + std::string(name), guard, arguments...);
    CHECK(answer.has_value());
    return *std::move(answer);
  }

  LockCapability capability_{memory_backend()};
};

TEST_P(LocksOfComponents, AreTakenRenewedAndReleased) {
  TestGuest guest(capability_, use({"orders"}));
  auto guard = acquire(guest, "orders/1");
  ASSERT_TRUE(guard.has_value());
  EXPECT_TRUE(method<bool>(guest, "is-held", *guard));
  EXPECT_GT(method<std::uint64_t>(guest, "remaining", *guard), 10 * kSecond);
  std::uint64_t token = method<std::uint64_t>(guest, "token", *guard);
  EXPECT_TRUE(method<Or<void>>(guest, "renew", *guard, 60 * kSecond).has_value());
  EXPECT_GT(method<std::uint64_t>(guest, "remaining", *guard), 40 * kSecond);
  EXPECT_FALSE(try_acquire(guest, "orders/1")->has_value());
  EXPECT_TRUE(method<Or<void>>(guest, "release", *guard).has_value());
  EXPECT_EQ(method<Or<void>>(guest, "release", *guard).error(), Error::lost());
  EXPECT_EQ(method<Or<void>>(guest, "renew", *guard, kSecond).error(), Error::lost());
  EXPECT_FALSE(method<bool>(guest, "is-held", *guard));
  EXPECT_EQ(method<std::uint64_t>(guest, "remaining", *guard), 0U);
  auto next = try_acquire(guest, "orders/1");
  ASSERT_TRUE(next.has_value() && next->has_value());
  EXPECT_GT(method<std::uint64_t>(guest, "token", **next), token);
}

TEST_P(LocksOfComponents, AreReleasedWithTheHandleAndTheInstance) {
  TestGuest other(capability_, use({"orders"}));
  {
    TestGuest guest(capability_, use({"orders"}));
    Handle dropped = *acquire(guest, "orders/dropped");
    ASSERT_TRUE(acquire(guest, "orders/left").has_value());
    EXPECT_EQ(acquire(other, "orders/dropped").error(), Error::timeout());
    guest.resources().drop(dropped);
    EXPECT_TRUE(acquire(other, "orders/dropped").has_value());
    EXPECT_EQ(acquire(other, "orders/left").error(), Error::timeout());
  }
  EXPECT_TRUE(acquire(other, "orders/left").has_value());
}

TEST_P(LocksOfComponents, BelongToTheApp) {
  TestGuest shop(capability_, use({"orders"}), "shop");
  TestGuest same(capability_, use({"orders"}), "shop");
  TestGuest bank(capability_, use({"orders"}), "bank");
  ASSERT_TRUE(acquire(shop, "orders").has_value());
  EXPECT_EQ(acquire(same, "orders").error(), Error::timeout());
  EXPECT_TRUE(acquire(bank, "orders").has_value());
}

TEST_P(LocksOfComponents, AreSharedWhereTheOperatorSaysSo) {
  Use shared = use({"orders"});
  shared.drivers.emplace("orders", choice("memory", "both"));
  TestGuest shop(capability_, shared, "shop");
  TestGuest bank(capability_, shared, "bank");
  // An app that is called as the scope is.
  TestGuest both(capability_, use({"orders"}), "both");
  ASSERT_TRUE(acquire(shop, "orders").has_value());
  EXPECT_EQ(acquire(bank, "orders").error(), Error::timeout());
  EXPECT_TRUE(acquire(both, "orders").has_value());
}

TEST_P(LocksOfComponents, AreThoseOfGrantedSpaces) {
  TestGuest guest(capability_, use({"orders"}));
  EXPECT_EQ(acquire(guest, "carts/1").error(), Error::denied());
  EXPECT_EQ(acquire(guest, "ordersX").error(), Error::denied());
  EXPECT_EQ(try_acquire(guest, "carts").error(), Error::denied());
  TestGuest alone(capability_, {.any_name = true});
  EXPECT_TRUE(acquire(alone, "carts/1").has_value());
}

TEST_P(LocksOfComponents, HaveBounds) {
  TestGuest guest(capability_, {.any_name = true});
  std::string longest(kNameBytesMax, 'x');
  EXPECT_TRUE(acquire(guest, longest).has_value());
  for (std::string_view name :
       {std::string_view(), std::string_view("a\0b", 3), std::string_view(longest += 'x')}) {
    EXPECT_TRUE(acquire(guest, name).error().is<Error::Invalid>());
  }
  for (std::uint64_t ttl :
       {std::uint64_t{0}, std::uint64_t{99'999'999}, 3601 * kSecond, UINT64_MAX}) {
    EXPECT_TRUE(acquire(guest, "a", ttl).error().is<Error::Invalid>());
  }
  EXPECT_TRUE(acquire(guest, "a", kSecond, UINT64_MAX).error().is<Error::Invalid>());
  auto guard = acquire(guest, "a");
  EXPECT_TRUE(
      method<Or<void>>(guest, "renew", *guard, std::uint64_t{1}).error().is<Error::Invalid>());
  EXPECT_TRUE(method<bool>(guest, "is-held", *guard));
}

TEST(AsyncLocks, TellOfALoss) {
  LockCapability capability(memory_backend());
  TestGuest guest(capability, {.any_name = true});
  const Offer& offer = offer_of(capability, wit::async_locks::kName);
  auto guard =
      guest.call<Or<Handle>>(offer, "acquire", "a", std::uint64_t{500'000'000}, std::uint64_t{0});
  ASSERT_TRUE(guard.has_value() && guard->has_value());
  EXPECT_TRUE(guest.call<void>(offer, "[method]guard.lost", **guard).has_value());
  EXPECT_FALSE(*guest.call<bool>(offer, "[method]guard.is-held", **guard));
}

TEST(LockDrivers, AreCheckedWithTheirScope) {
  LockCapability capability(memory_backend());
  EXPECT_TRUE(capability.check(choice("embedded", "all")).has_value());
  EXPECT_FALSE(capability.check(choice("embedded", "")).has_value());
  EXPECT_FALSE(capability.check(choice("redis", "all")).has_value());
  for (const DriverInfo& each : capability.drivers()) {
    EXPECT_EQ(each.keys.back().name, "scope") << each.name;
  }
}

TEST(LockSpaces, HaveNamesWithoutASlash) {
  LockCapability capability(memory_backend());
  EXPECT_TRUE(capability.check_name("orders").has_value());
  for (const char* wrong : {"orders/7", "orders/*"}) {
    EXPECT_THAT(capability.check_name(wrong).error().message(),
                ::testing::HasSubstr("write \"orders\""));
  }
  EXPECT_FALSE(capability.check_name("").has_value());
}

INSTANTIATE_TEST_SUITE_P(lock, LocksOfComponents,
                         ::testing::Values(wit::locks::kName, wit::async_locks::kName),
                         [](const auto& name) {
                           return name.param == wit::locks::kName ? "blocking" : "async";
                         });

}  // namespace
}  // namespace weft::lock
