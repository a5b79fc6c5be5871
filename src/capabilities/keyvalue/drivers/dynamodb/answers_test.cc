// Shows what the driver makes of answers that the stand-in of the other tests never gives: what is
// put off or left undone, conditions that fail, answers that are lost, refusals.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/keyvalue/drivers/dynamodb/dynamodb.h"
#include "capabilities/keyvalue/drivers/dynamodb/fake_server.h"
#include "capabilities/keyvalue/drivers/dynamodb/items.h"
#include "capabilities/keyvalue/drivers/dynamodb/server.h"
#include "capabilities/keyvalue/testing.h"

namespace weft::keyvalue::dynamodb {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kUnknown = "whether it was done is not known";

std::string refusal(std::string_view type, std::string_view message = "no") {
  return fmt::format(R"({{"__type":"com.amazonaws.dynamodb.v20120810#{}","message":"{}"}})", type,
                     message);
}

// A condition that does not hold, because of a value with that version.
std::string lost_to(std::string_view version, std::string_view value = "bWlsaw==") {
  return fmt::format(R"({{"__type":"x#ConditionalCheckFailedException","message":"no",)"
                     R"("Item":{{"value":{{"B":"{}"}},"version":{{"N":"{}"}}}}}})",
                     value, version);
}

class DynamodbAnswers : public ::testing::Test {
 protected:
  DynamodbAnswers() {
    backend_ = dynamodb_backend(settings_for(fake_.port(), "weft"));
    store_ = backend_->store(loop_);
    bucket_ = *await(loop_, store_->open(soon(), {"app", "b"}));
  }
  Request soon(std::chrono::milliseconds time = std::chrono::seconds(20)) {
    return {loop_, Deadline::after(time)};
  }
  Result<void> set(std::chrono::milliseconds time = std::chrono::seconds(20)) {
    return await(loop_, bucket_->set(soon(time), "k", as_bytes("v")));
  }
  Result<std::optional<Snapshot>> swap() {
    Snapshot basis{.value = Bytes(), .version = 7};
    return await(loop_, bucket_->swap(soon(), "k", basis, as_bytes("v")));
  }
  std::vector<std::string> operations() {
    std::vector<std::string> names;
    for (const auto& each : fake_.asked()) names.push_back(each.operation);
    return names;
  }

  FakeServer fake_;
  Loop loop_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Bucket> bucket_;
};

TEST_F(DynamodbAnswers, ARequestIsSignedForTheServiceAndItsRegion) {
  ASSERT_TRUE(set().has_value());
  auto asked = fake_.asked();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_THAT(asked[0].authorization, HasSubstr("Credential=test/"));
  EXPECT_THAT(asked[0].authorization, HasSubstr("/us-east-1/dynamodb/aws4_request"));
  EXPECT_THAT(asked[0].authorization,
              HasSubstr("SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;"
                        "x-amz-target"));
  EXPECT_EQ(asked[0].body.at("TableName").as_string(), "weft");
}

TEST_F(DynamodbAnswers, AWriteThatIsPutOffIsSentAgain) {
  fake_.answer(400, refusal("ProvisionedThroughputExceededException"));
  fake_.answer(400, refusal("ThrottlingException"));
  ASSERT_TRUE(set().has_value());
  EXPECT_THAT(operations(), ::testing::ElementsAre("PutItem", "PutItem", "PutItem"));
}

TEST_F(DynamodbAnswers, WhatIsPutOffForTooLongEndsInsideTheDeadlineAndWasNotDone) {
  for (int i = 0; i < 30; ++i) fake_.answer(400, refusal("ThrottlingException", "slow down"));
  auto began = Deadline::Clock::now();
  auto done = set(std::chrono::milliseconds(300));
  ASSERT_FALSE(done.has_value());
  EXPECT_LT(Deadline::Clock::now() - began, std::chrono::seconds(3));
  EXPECT_EQ(done.error().code(), Errc::kUnavailable);
  EXPECT_THAT(done.error().message(), HasSubstr("slow down"));
  EXPECT_THAT(done.error().message(), Not(HasSubstr(kUnknown)));
}

TEST_F(DynamodbAnswers, AWriteWithoutAnAnswerIsNotSentAgain) {
  fake_.answer(FakeServer::kBreaksOff, "");
  auto broken = set();
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().code(), Errc::kUnavailable);
  EXPECT_THAT(broken.error().message(), HasSubstr(kUnknown));
  EXPECT_EQ(operations().size(), 1U);
  fake_.answer(500, refusal("InternalServerError", "oh"));
  auto failed = set();
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code(), Errc::kUnavailable);
  EXPECT_THAT(failed.error().message(), HasSubstr(kUnknown));
  EXPECT_EQ(operations().size(), 1U);
}

TEST_F(DynamodbAnswers, AReadWithoutAnAnswerIsSentAgainAndNeverInDoubt) {
  fake_.answer(FakeServer::kBreaksOff, "");
  fake_.answer(500, refusal("InternalServerError"));
  auto value = await(loop_, bucket_->get(soon(), "k"));
  ASSERT_TRUE(value.has_value()) << value.error().message();
  EXPECT_FALSE(value->has_value());
  EXPECT_EQ(operations().size(), 3U);
  for (int i = 0; i < 30; ++i) fake_.answer(500, refusal("InternalServerError"));
  value = await(loop_, bucket_->get(soon(), "k"));
  ASSERT_FALSE(value.has_value());
  EXPECT_THAT(value.error().message(), Not(HasSubstr(kUnknown)));
}

TEST_F(DynamodbAnswers, ALostSwapSaysWhatIsThereWithoutAskingForIt) {
  fake_.answer(400, lost_to("8"));
  auto now = swap();
  ASSERT_TRUE(now.has_value() && now->has_value());
  EXPECT_EQ(as_text(*(*now)->value), "milk");
  EXPECT_EQ((*now)->version, 8U);
  auto asked = fake_.asked();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].body.at("ExpressionAttributeValues").at(":n").at("N").as_string(), "7");
}

TEST_F(DynamodbAnswers, ASwapWhoseAnswerIsLostIsSentAgainAndKnowsItsOwn) {
  auto mine = [](const FakeServer::Asked& asked) {
    return lost_to(std::string_view(asked.body.at("Item").at("version").at("N").as_string()),
                   "dg==");
  };
  fake_.answer(FakeServer::kBreaksOff, "");
  fake_.answer(400, mine);
  auto done = swap();
  ASSERT_TRUE(done.has_value()) << done.error().message();
  EXPECT_FALSE(done->has_value());
  EXPECT_EQ(operations().size(), 2U);
  // Somebody else's is there: ours may have been there before.
  fake_.answer(500, refusal("InternalServerError"));
  fake_.answer(400, lost_to("8"));
  done = swap();
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code(), Errc::kUnavailable);
  EXPECT_THAT(done.error().message(), HasSubstr(kUnknown));
  // One that was put off was not.
  fake_.answer(400, refusal("ThrottlingException"));
  fake_.answer(400, lost_to("8"));
  done = swap();
  ASSERT_TRUE(done.has_value());
  EXPECT_TRUE(done->has_value());
}

TEST_F(DynamodbAnswers, WhatABatchLeavesUndoneIsDoneAfterwards) {
  fake_.answer(200, [](const FakeServer::Asked& asked) {
    const json::array& writes = asked.body.at("RequestItems").at("weft").as_array();
    EXPECT_EQ(writes.size(), 3U);
    return fmt::format(R"({{"UnprocessedItems":{{"weft":[{}]}}}})", json::serialize(writes[1]));
  });
  auto done =
      await(loop_, bucket_->set_many(
                       soon(), {{"a", as_bytes("1")}, {"b", as_bytes("2")}, {"c", as_bytes("3")}}));
  ASSERT_TRUE(done.has_value()) << done.error().message();
  auto asked = fake_.asked();
  ASSERT_EQ(asked.size(), 2U);
  const json::array& left = asked[1].body.at("RequestItems").at("weft").as_array();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].at("PutRequest").at("Item").at("value").at("B").as_string(), "Mg==");
}

TEST_F(DynamodbAnswers, WhatABatchLeavesUnreadIsReadAfterwards) {
  // Nothing at all first, and then one of two.
  fake_.answer(200, [](const FakeServer::Asked& asked) {
    return fmt::format(R"({{"Responses":{{}},"UnprocessedKeys":{}}})",
                       json::serialize(asked.body.at("RequestItems")));
  });
  fake_.answer(200, R"({"Responses":{"weft":[{"key":{"B":"YQ=="},"value":{"B":"MQ=="}}]},
      "UnprocessedKeys":{"weft":{"Keys":[{"bucket":{"S":"x"},"key":{"B":"Yg=="}}]}}})");
  fake_.answer(200, R"({"Responses":{"weft":[{"key":{"B":"Yg=="},"value":{"B":"Mg=="}}]}})");
  auto values = await(loop_, bucket_->get_many(soon(), {"b", "a", "b"}));
  ASSERT_TRUE(values.has_value()) << values.error().message();
  EXPECT_THAT(*values, ::testing::ElementsAre(to_bytes("2"), to_bytes("1"), to_bytes("2")));
  auto asked = fake_.asked();
  ASSERT_EQ(asked.size(), 3U);
  auto keys = [&](int i) {
    return asked[i].body.at("RequestItems").at("weft").at("Keys").as_array().size();
  };
  EXPECT_EQ(keys(0), 2U);
  EXPECT_EQ(keys(2), 1U);
}

TEST_F(DynamodbAnswers, ABatchThatIsNeverDoneEndsInsideTheDeadline) {
  auto nothing = [](const FakeServer::Asked& asked) {
    return fmt::format(R"({{"UnprocessedItems":{}}})",
                       json::serialize(asked.body.at("RequestItems")));
  };
  for (int i = 0; i < 30; ++i) fake_.answer(200, nothing);
  auto done = await(loop_, bucket_->erase_many(soon(std::chrono::milliseconds(300)), {"a", "b"}));
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code(), Errc::kUnavailable);
  EXPECT_THAT(done.error().message(), HasSubstr("2 keys of a batch"));
}

TEST_F(DynamodbAnswers, ARefusalSaysWhichSettingToCorrect) {
  struct Case {
    std::string_view type, message;
    Errc code;
    std::string_view advice;
  };
  for (const Case& each :
       {Case{"UnrecognizedClientException", "no", Errc::kDenied, "secret-access-key"},
        Case{"InvalidSignatureException", "Signature expired: now", Errc::kDenied, "clock"},
        Case{"AccessDeniedException", "no", Errc::kDenied, "rights"},
        Case{"ResourceNotFoundException", "no", Errc::kNotFound, "no table weft in us-east-1"},
        Case{"ValidationException", "does not match the schema", Errc::kInvalid, "has to be"}}) {
    fake_.answer(400, refusal(each.type, each.message));
    auto done = set();
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().code(), each.code) << each.type;
    EXPECT_THAT(done.error().message(), HasSubstr(each.advice));
    EXPECT_THAT(done.error().message(), HasSubstr(each.message));
    EXPECT_THAT(done.error().message(), Not(HasSubstr("testing"))) << "that is the secret";
  }
  EXPECT_EQ(operations().size(), 5U);
}

TEST_F(DynamodbAnswers, WhatIsNoDynamodbIsSaidToBeNone) {
  fake_.answer(404, "<html>");
  auto value = await(loop_, bucket_->get(soon(), "k"));
  ASSERT_FALSE(value.has_value());
  EXPECT_THAT(value.error().message(), HasSubstr("is it DynamoDB's address"));
  for (std::string_view wrong : {R"({"Item":{"value":{"B":"?"}}})", R"({"Item":{"value":1}})"}) {
    fake_.answer(200, std::string(wrong));
    value = await(loop_, bucket_->get(soon(), "k"));
    ASSERT_FALSE(value.has_value());
    EXPECT_EQ(value.error().code(), Errc::kCorrupt);
  }
  EXPECT_FALSE(await(loop_, bucket_->list(soon(), std::nullopt)).has_value());
}

TEST_F(DynamodbAnswers, MoreRequestsThanHavePlacesWaitForOne) {
  std::vector<std::string> names;
  std::vector<weft::Answer<void>> answers;
  for (std::size_t i = 0; i < 3 * kAtOnceMax; ++i) names.push_back(std::to_string(i));
  for (auto& name : names) answers.push_back(bucket_->set(soon(), name, {}));
  for (auto& answer : answers) EXPECT_TRUE(await(loop_, std::move(answer)).has_value());
  EXPECT_EQ(operations().size(), 3 * kAtOnceMax);
}

}  // namespace
}  // namespace weft::keyvalue::dynamodb
