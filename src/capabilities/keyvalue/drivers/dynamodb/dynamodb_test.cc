// Shows what of the DynamoDB driver is its own: settings, what is stored, and what becomes of
// requests when the server or the way to it fails.
#include "capabilities/keyvalue/drivers/dynamodb/dynamodb.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "capabilities/keyvalue/drivers/dynamodb/items.h"
#include "capabilities/keyvalue/drivers/dynamodb/server.h"
#include "capabilities/keyvalue/drivers/one_bucket.h"
#include "capabilities/keyvalue/testing.h"
#include "remote/base64.h"
#include "remote/testing/fault_proxy.h"

namespace weft::keyvalue::dynamodb {
namespace {

namespace json = boost::json;
using remote::FaultProxy;
using ::testing::HasSubstr;
using Fault = FaultProxy::Fault;

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"dynamodb"};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  return choice;
}

TEST(DynamodbSettings, AreRead) {
  auto settings = read_settings(choice({{"table", "weft"},
                                        {"access-key-id", "AKIA"},
                                        {"secret-access-key", "hush"},
                                        {"session-token", "token"},
                                        {"region", "eu-central-1"},
                                        {"prefix", "prod/weft"},
                                        {"timeout", "2s"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->scheme, "https");
  EXPECT_EQ(settings->host, "dynamodb.eu-central-1.amazonaws.com");
  EXPECT_EQ(settings->credentials.access_key_id, "AKIA");
  EXPECT_EQ(settings->credentials.secret_access_key.reveal(), "hush");
  EXPECT_EQ(settings->credentials.session_token.reveal(), "token");
  EXPECT_EQ(settings->prefix, "prod/weft");
  EXPECT_EQ(settings->timeout, std::chrono::seconds(2));
  settings = read_settings(choice({{"table", "arn:aws:dynamodb:eu-west-1:1:table/weft"},
                                   {"access-key-id", "AKIA"},
                                   {"secret-access-key", "hush"},
                                   {"url", "http://[::1]:8000/"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->scheme, "http");
  EXPECT_EQ(settings->host, "[::1]:8000");
  EXPECT_EQ(settings->prefix, "weft");
}

TEST(DynamodbSettings, SayWhatIsWrong) {
  using Pair = std::pair<std::string, std::string>;
  for (auto [wrong, what] :
       {std::pair{Pair{"table", ""}, "no table"}, std::pair{Pair{"table", "a\"b"}, "no table"},
        std::pair{Pair{"secret-access-key", ""}, "no keys"},
        std::pair{Pair{"access-key-id", "a b"}, "access-key-id"},
        std::pair{Pair{"region", "eu/central"}, "region"}, std::pair{Pair{"prefix", ""}, "prefix"},
        std::pair{Pair{"prefix", std::string(251, 'p')}, "prefix"},
        std::pair{Pair{"url", "dynamodb://x"}, "https://"},
        std::pair{Pair{"url", "http://me:hush@x"}, "access-key-id"},
        std::pair{Pair{"url", "http://x/path"}, "path"},
        std::pair{Pair{"timeout", "1ms"}, "at least"},
        std::pair{Pair{"ca-file", "/no/ca.pem"}, "/no/ca.pem"}}) {
    std::vector<Pair> settings{wrong};
    for (const Pair& right : {Pair{"table", "weft"}, Pair{"access-key-id", "AKIA"},
                              Pair{"secret-access-key", "hush"}}) {
      if (right.first != wrong.first) settings.push_back(right);
    }
    auto read = read_settings(choice(settings));
    ASSERT_FALSE(read.has_value()) << wrong.first << " = " << wrong.second;
    EXPECT_THAT(read.error().message(), HasSubstr(what));
    EXPECT_THAT(read.error().message(), ::testing::Not(HasSubstr("hush")));
  }
}

// The tests' server, a proxy before it, and a bucket that no other test has.
class DynamodbFaults : public OneBucket {
 protected:
  void SetUp() override {
    if (!has_server()) GTEST_SKIP() << "dynalite is not installed: scripts/setup.sh test does that";
    static int made = 0;
    if (++made == 1) make_table(server().port(), kTable);
    proxy_ = std::make_unique<FaultProxy>(server().port());
    settings_ = settings_for(proxy_->port(), kTable);
    // Long enough for a server on a machine that is busy with other tests.
    settings_.timeout = std::chrono::seconds(4);
    settings_.prefix = "f" + std::to_string(made);
    open(dynamodb_backend(settings_));
  }
  static remote::RealServer& server() { return shared_server(); }
  // What another program knows of the same table, without the proxy.
  std::string item_of(std::string_view key) const {
    return fmt::format(R"("bucket":{{"S":"{}/app/b"}},"key":{{"B":"{}"}})", settings_.prefix,
                       remote::base64(as_bytes(key)));
  }
  static json::object ask(const std::string& operation, std::string_view rest) {
    std::string body = fmt::format(R"({{"TableName":"{}",{}}})", kTable, rest);
    return json::parse(dynamodb::ask(server().port(), operation, body)).as_object();
  }

  static constexpr const char* kTable = "faults";
  Settings settings_;
  std::unique_ptr<FaultProxy> proxy_;
};

TEST_F(DynamodbFaults, OthersReadAndWriteTheSameItems) {
  ASSERT_TRUE(set("cart", "bread").has_value());
  json::object found = ask("GetItem", fmt::format(R"("Key":{{{}}})", item_of("cart")));
  EXPECT_EQ(found.at("Item").at("value").at("B").as_string(), "YnJlYWQ=");
  EXPECT_FALSE(found.at("Item").at("version").at("N").as_string().empty());
  ask("PutItem", fmt::format(R"("Item":{{{},"value":{{"B":"NDE="}}}})", item_of("theirs")));
  EXPECT_EQ(get("theirs"), "41");
  // Theirs has no version, and is counted and swapped all the same.
  auto basis = await(loop_, bucket_->snapshot(soon(), "theirs"));
  ASSERT_TRUE(basis.has_value());
  EXPECT_EQ(await(loop_, bucket_->increment(soon(), "theirs", 1)), 42);
  EXPECT_TRUE(await(loop_, bucket_->swap(soon(), "theirs", *basis, as_bytes("x")))->has_value());
  EXPECT_EQ(get("theirs"), "42");
}

TEST_F(DynamodbFaults, WhatTheTableHasNoRoomForIsRefusedWithItsBound) {
  auto done = set("k", std::string(kDynamodbValueBytesMax + 1, 'x'));
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code(), Errc::kInvalid);
  EXPECT_THAT(done.error().message(), HasSubstr(std::to_string(kDynamodbValueBytesMax)));
  done = set(std::string(kKeyBytesMax, '\0'), "x");
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code(), Errc::kInvalid);
  // What is just within, where everything is as long as it may be.
  settings_.prefix = std::string(250, 'p');
  auto longest = dynamodb_backend(settings_);
  std::string name(kBucketNameBytesMax, '/');
  auto bucket = await(loop_, longest->store(loop_)->open(soon(), {name, name}));
  ASSERT_TRUE(bucket.has_value());
  std::string key(kKeyBytesMax, 'k');
  Bytes value(kDynamodbValueBytesMax);
  done = await(loop_, (*bucket)->set(soon(), key, value));
  EXPECT_TRUE(done.has_value()) << done.error().message();
  EXPECT_EQ(await(loop_, (*bucket)->get(soon(), key)), value);
}

TEST_F(DynamodbFaults, AListOfLargeValuesIsWhole) {
  std::vector<std::string> names;
  for (int i = 0; i < 9; ++i) names.push_back(std::to_string(i));
  Bytes value(300'000);
  std::vector<Pair> pairs;
  for (auto& name : names) pairs.emplace_back(name, value);
  ASSERT_TRUE(await(loop_, bucket_->set_many(soon(), pairs)).has_value());
  auto page = await(loop_, bucket_->list(soon(), std::nullopt));
  ASSERT_TRUE(page.has_value()) << page.error().message();
  EXPECT_EQ(page->keys, names);
  EXPECT_FALSE(page->cursor.has_value());
}

TEST_F(DynamodbFaults, SlicedDelayedAndThrottledBytesAreTheSameBytes) {
  std::string large(20'000, 'x');
  large[10'000] = '\r';
  std::int64_t count = 0;
  for (Fault fault : {Fault::kSlice, Fault::kDelay, Fault::kThrottle}) {
    proxy_->set(fault);
    ASSERT_TRUE(set("k", large).has_value());
    EXPECT_TRUE(get("k") == large);
    EXPECT_EQ(await(loop_, bucket_->increment(soon(), "n", 1)), ++count);
    auto page = await(loop_, bucket_->list(soon(), std::nullopt));
    ASSERT_TRUE(page.has_value()) << page.error().message();
    EXPECT_EQ(page->keys.size(), 2U);
  }
}

TEST_F(DynamodbFaults, ARefusedConnectionIsToldSoonAndRecoversByItself) {
  ASSERT_TRUE(set("k", "v").has_value());
  proxy_->set(Fault::kRefuse);
  auto start = Deadline::Clock::now();
  EXPECT_THAT(get("k"), HasSubstr("(error)"));
  auto written = set("k", "w");
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code(), Errc::kUnavailable);
  EXPECT_LT(Deadline::Clock::now() - start, std::chrono::seconds(10));
  // Once it is known, nobody waits any more.
  start = Deadline::Clock::now();
  EXPECT_THAT(get("k"), HasSubstr("(error)"));
  EXPECT_LT(Deadline::Clock::now() - start, std::chrono::milliseconds(500));
  proxy_->set(Fault::kNone);
  EXPECT_TRUE(recovers("k", "v"));
}

TEST_F(DynamodbFaults, AStalledServerIsGivenUp) {
  ASSERT_TRUE(set("k", "v").has_value());
  proxy_->set(Fault::kStall);
  // A deadline before the server is given up.
  EXPECT_THAT(get("k", std::chrono::milliseconds(200)), HasSubstr("no answer before the deadline"));
  auto written = set("k", "w", std::chrono::milliseconds(200));
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code(), Errc::kTimeout);
  EXPECT_THAT(written.error().message(), HasSubstr("whether it was done is not known"));
  // And one after it.
  auto start = Deadline::Clock::now();
  written = set("k", "x");
  ASSERT_FALSE(written.has_value());
  EXPECT_LT(Deadline::Clock::now() - start, std::chrono::seconds(15));
  proxy_->set(Fault::kNone);
  Deadline limit = Deadline::after(std::chrono::seconds(20));
  while (get("k").starts_with("(error)") && !limit.passed()) {
  }
  // What had no answer may be done later or not at all: nothing of it is half.
  EXPECT_THAT(get("k"), ::testing::AnyOf("v", "w", "x"));
}

TEST_F(DynamodbFaults, AConnectionCutInAnAnswerIsMadeAgainForReadsAndCounts) {
  ASSERT_TRUE(set("k", "value").has_value());
  for (int round = 1; round <= 8; ++round) {
    proxy_->set(round % 2 == 0 ? Fault::kCut : Fault::kCutAsked);
    EXPECT_EQ(get("k"), "value");
    proxy_->set(round % 2 == 0 ? Fault::kCut : Fault::kCutAsked);
    // Either of its requests is cut: it counts once.
    EXPECT_EQ(await(loop_, bucket_->increment(soon(), "n", 1)), round);
  }
  EXPECT_EQ(get("n"), "8");
}

TEST_F(DynamodbFaults, ACutSwapIsDoneOnce) {
  ASSERT_TRUE(set("k", "0").has_value());
  for (int round = 1; round <= 6; ++round) {
    auto basis = await(loop_, bucket_->snapshot(soon(), "k"));
    ASSERT_TRUE(basis.has_value());
    std::string value = std::to_string(round);
    proxy_->set(round % 2 == 0 ? Fault::kCut : Fault::kCutAsked);
    auto lost = await(loop_, bucket_->swap(soon(), "k", *basis, as_bytes(value)));
    ASSERT_TRUE(lost.has_value()) << lost.error().message();
    EXPECT_FALSE(lost->has_value());
    EXPECT_EQ(get("k"), value);
  }
}

TEST_F(DynamodbFaults, AServerThatIsKilledLosesNothingItAcknowledged) {
  for (int round = 0; round < 2; ++round) {
    std::string value = std::to_string(round);
    ASSERT_TRUE(set("k", value).has_value());
    server().kill();
    EXPECT_THAT(get("k", std::chrono::milliseconds(300)), HasSubstr("(error)"));
    server().start();
    EXPECT_TRUE(recovers("k", value));
  }
}

TEST_F(DynamodbFaults, AFrozenServerHoldsNobodyLongerThanTheTimeOut) {
  ASSERT_TRUE(set("k", "v").has_value());
  server().freeze();
  auto start = Deadline::Clock::now();
  EXPECT_THAT(get("k"), HasSubstr("(error)"));
  EXPECT_LT(Deadline::Clock::now() - start, std::chrono::seconds(15));
  server().thaw();
  EXPECT_TRUE(recovers("k", "v"));
}

TEST_F(DynamodbFaults, WhoAsksIsToldWhetherTheTableCanBeUsed) {
  EXPECT_FALSE(backend_->health()->read().asked);
  Result<void> reached = reach_now(loop_, *backend_);
  EXPECT_TRUE(reached.has_value()) << reached.error().message();
  EXPECT_TRUE(backend_->health()->read().up);
  EXPECT_GT(backend_->health()->read().requests, 0U);

  settings_.table = "none-such";
  reached = reach_now(loop_, *dynamodb_backend(settings_));
  ASSERT_FALSE(reached.has_value());
  EXPECT_EQ(reached.error().code(), Errc::kNotFound);
  EXPECT_THAT(reached.error().message(), HasSubstr("none-such"));

  settings_.table = "other-" + settings_.prefix;
  dynamodb::ask(server().port(), "CreateTable",
                R"({"TableName":")" + settings_.table +
                    R"(","BillingMode":"PAY_PER_REQUEST",)"
                    R"("AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],)"
                    R"("KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]})");
  reached = reach_now(loop_, *dynamodb_backend(settings_));
  ASSERT_FALSE(reached.has_value());
  EXPECT_EQ(reached.error().code(), Errc::kInvalid);
  EXPECT_THAT(reached.error().message(), HasSubstr("has the key id (S, HASH)"));

  proxy_->set(Fault::kRefuse);
  reached = reach_now(loop_, *backend_);
  ASSERT_FALSE(reached.has_value());
  EXPECT_EQ(reached.error().code(), Errc::kUnavailable);
  EXPECT_FALSE(backend_->health()->read().up);
  EXPECT_GT(backend_->health()->read().losses, 0U);
}

}  // namespace
}  // namespace weft::keyvalue::dynamodb
