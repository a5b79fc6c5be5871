// Shows what of the Azure driver is its own: settings, what others see, the order of writes, and
// what becomes of requests when the server or the way to it fails.
#include "capabilities/keyvalue/drivers/azure/azure.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "capabilities/keyvalue/drivers/azure/names.h"
#include "capabilities/keyvalue/drivers/azure/turns.h"
#include "capabilities/keyvalue/drivers/one_bucket.h"
#include "capabilities/keyvalue/testing.h"
#include "io/test_task.h"
#include "remote/azure/testing.h"
#include "remote/testing/fault_proxy.h"

namespace weft::keyvalue::azure {
namespace {

using remote::FaultProxy;
using remote::azure::ask;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Fault = FaultProxy::Fault;

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"azure-blob"};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  choice.settings.emplace_back("account", Secret("acme"));
  choice.settings.emplace_back("key", Secret("a2V5"));
  choice.settings.emplace_back("container", Secret("things"));
  return choice;
}

TEST(AzureKeyvalueSettings, AreReadOrSayWhatIsWrong) {
  auto settings = read_settings(choice({{"timeout", "2s"}, {"prefix", "prod_1"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->server.host, "acme.blob.core.windows.net");
  EXPECT_EQ(settings->server.timeout, std::chrono::seconds(2));
  EXPECT_EQ(settings->prefix, "prod_1");
  for (auto [key, value, what] :
       {std::tuple{"prefix", "a/b", "prefix"}, std::tuple{"prefix", "", "prefix"},
        std::tuple{"timeout", "1ms", "at least"}, std::tuple{"url", "ftp://x", "https://"}}) {
    auto read = read_settings(choice({{key, value}}));
    ASSERT_FALSE(read.has_value()) << what;
    EXPECT_THAT(read.error().message(), HasSubstr(what));
  }
}

TEST(AzureTurns, OfOneKeyComeOneAfterTheOther) {
  Loop loop;
  auto turns = std::make_shared<Turns>(loop);
  Deadline soon = Deadline::after(std::chrono::seconds(20));
  std::optional<Turns::Turn> first = *turns->take("k", 1), second = *turns->take("k", 1),
                             third = *turns->take("k", 1), other = *turns->take("j", 1);
  EXPECT_TRUE(testing::run_task(loop, first->come(soon)).has_value());
  EXPECT_TRUE(testing::run_task(loop, other->come(soon)).has_value());
  Deadline late = Deadline::after(std::chrono::milliseconds(1));
  EXPECT_EQ(testing::run_task(loop, second->come(late)).error().code(), Errc::kTimeout);
  // Who gives up in the row holds nobody up.
  second.reset();
  EXPECT_EQ(testing::run_task(loop, third->come(late)).error().code(), Errc::kTimeout);
  first.reset();
  EXPECT_TRUE(testing::run_task(loop, third->come(soon)).has_value());
  EXPECT_EQ(turns->take("large", kWritesBytesMax).error().code(), Errc::kLimit);
}

// A container of the shared server's, behind a proxy, and a bucket in it.
class AzureKeyvalue : public OneBucket {
 protected:
  void SetUp() override {
    if (!remote::azure::has_server()) GTEST_SKIP() << "azurite is not installed";
    port_ = remote::azure::shared_server().port();
    place_ = remote::azure::new_container(port_);
    proxy_.emplace(port_);
    Settings settings;
    settings.server = remote::azure::settings_for(proxy_->port(), place_);
    settings.server.timeout = std::chrono::seconds(4);
    open(azure_backend(std::move(settings)));
  }

  std::uint16_t port_ = 0;
  std::string place_;
  std::optional<FaultProxy> proxy_;
};

TEST_F(AzureKeyvalue, OthersSeeABlobForEachKey) {
  ASSERT_TRUE(set("cart/1", "two apples").has_value());
  EXPECT_EQ(ask(port_, place_, "GET", "weft-keyvalue/app/b/cart!2F1"), "two apples");
  ask(port_, place_, "PUT", "weft-keyvalue/app/b/theirs", {}, "hello");
  // Spells no key.
  ask(port_, place_, "PUT", "weft-keyvalue/app/b/a.b", {}, "x");
  EXPECT_EQ(get("theirs"), "hello");
  EXPECT_THAT(await(loop_, bucket_->list(soon(), std::nullopt))->keys,
              ElementsAre("cart/1", "theirs"));
}

TEST_F(AzureKeyvalue, ABatchWaitsForItsTurnAtEachKey) {
  std::vector<Answer<void>> answers;
  answers.push_back(bucket_->set(soon(), "a", as_bytes("1")));
  answers.push_back(bucket_->set_many(soon(), {{"a", as_bytes("2")}, {"b", as_bytes("2")}}));
  answers.push_back(bucket_->erase_many(soon(), {"b", "a"}));
  answers.push_back(bucket_->set(soon(), "a", as_bytes("3")));
  for (auto& answer : answers) EXPECT_TRUE(await(loop_, std::move(answer)).has_value());
  EXPECT_EQ(get("a"), "3");
  EXPECT_EQ(get("b"), "(none)");
}

TEST_F(AzureKeyvalue, TellsWhoAsksWhatIsWrongAndWhetherItCanBeUsed) {
  EXPECT_FALSE(backend_->health()->read().asked);
  EXPECT_TRUE(reach_now(loop_, *backend_).has_value());
  EXPECT_TRUE(backend_->health()->read().up);
  EXPECT_GT(backend_->health()->read().requests, 0U);
  Settings settings;
  settings.server = remote::azure::settings_for(port_, "absent");
  auto reached = reach_now(loop_, *azure_backend(std::move(settings)));
  ASSERT_FALSE(reached.has_value());
  EXPECT_THAT(reached.error().message(), HasSubstr("there is no container absent"));
  proxy_->set(Fault::kRefuse);
  EXPECT_EQ(reach_now(loop_, *backend_).error().code(), Errc::kUnavailable);
  EXPECT_FALSE(backend_->health()->read().up);
}

TEST_F(AzureKeyvalue, ASlowWayIsSlowAndNothingElse) {
  for (Fault fault : {Fault::kDelay, Fault::kThrottle, Fault::kSlice}) {
    proxy_->set(fault);
    ASSERT_TRUE(set("k", "value").has_value());
    EXPECT_EQ(get("k"), "value");
  }
}

TEST_F(AzureKeyvalue, ARefusedConnectionIsToldSoonAndRecoversByItself) {
  ASSERT_TRUE(set("k", "v").has_value());
  proxy_->set(Fault::kRefuse);
  auto start = Deadline::Clock::now();
  EXPECT_THAT(get("k"), HasSubstr("refused"));
  EXPECT_EQ(set("k", "w").error().code(), Errc::kUnavailable);
  EXPECT_LT(Deadline::Clock::now() - start, std::chrono::seconds(10));
  proxy_->set(Fault::kNone);
  EXPECT_TRUE(recovers("k", "v"));
}

TEST_F(AzureKeyvalue, AStalledServerIsGivenUp) {
  ASSERT_TRUE(set("k", "v").has_value());
  proxy_->set(Fault::kStall);
  EXPECT_THAT(get("k", std::chrono::milliseconds(100)), HasSubstr("before the deadline"));
  auto start = Deadline::Clock::now();
  EXPECT_EQ(set("other", "w").error().code(), Errc::kTimeout);
  EXPECT_LT(Deadline::Clock::now() - start, std::chrono::seconds(15));
  proxy_->set(Fault::kNone);
  EXPECT_TRUE(recovers("k", "v"));
}

TEST_F(AzureKeyvalue, ALoopMayEndWhileWritesWaitForTheirTurn) {
  proxy_->set(Fault::kStall);
  {
    Loop other;
    auto store = backend_->store(other);
    Request request{other, Deadline::after(std::chrono::seconds(20))};
    auto bucket = *await(other, store->open(request, {"app", "b"}));
    std::vector<Answer<void>> answers;
    for (int i = 0; i < 3; ++i) answers.push_back(bucket->set(request, "k", as_bytes("lost")));
    Request short_one{other, Deadline::after(std::chrono::milliseconds(50))};
    EXPECT_EQ(await(other, bucket->get(short_one, "other")).error().code(), Errc::kTimeout);
  }
  proxy_->set(Fault::kNone);
  // Of another key: the write that was on its way may still arrive.
  ASSERT_TRUE(set("kept", "kept").has_value());
  EXPECT_EQ(get("kept"), "kept");
}

TEST_F(AzureKeyvalue, AReadThatIsCutIsAskedOnceMore) {
  ASSERT_TRUE(set("k", "value").has_value());
  for (Fault fault : {Fault::kCut, Fault::kCutAsked}) {
    proxy_->set(fault);
    EXPECT_EQ(get("k"), "value");
  }
}

TEST_F(AzureKeyvalue, AWriteWhoseAnswerIsLostIsNotMadeAgain) {
  ASSERT_TRUE(set("k", "value").has_value());
  auto basis = await(loop_, bucket_->snapshot(soon(), "k"));
  ASSERT_TRUE(basis.has_value());
  auto lost = [&](auto write) {
    proxy_->set(Fault::kCutAsked);
    auto done = await(loop_, write());
    return done ? "(done)" : std::string(done.error().message());
  };
  // Had it been sent again, it would have been done, or lost against itself.
  EXPECT_THAT(lost([&] { return bucket_->swap(soon(), "k", *basis, as_bytes("swapped")); }),
              HasSubstr("not known"));
  EXPECT_EQ(get("k"), "swapped");
  EXPECT_THAT(lost([&] { return bucket_->set(soon(), "k", {}); }), HasSubstr("not known"));
  EXPECT_EQ(get("k"), "");
  EXPECT_THAT(lost([&] { return bucket_->erase(soon(), "k"); }), HasSubstr("not known"));
  EXPECT_EQ(get("k"), "(none)");
}

}  // namespace
}  // namespace weft::keyvalue::azure
