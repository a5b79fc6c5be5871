// Shows what is said of a trigger before anything runs.
#include "capabilities/messaging/messaging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/keyvalue/backend.h"
#include "capabilities/messaging/log_broker.h"

namespace weft::messaging {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(MessageTriggers, SayWhatIsWrong) {
  MessagingCapability capability(log_backend(keyvalue::memory_backend()));
  Use use{.names = {""}};
  for (auto [settings, what] :
       {std::pair{TriggerSettings{{{"topic", "a b"}}}, "no spaces"},
        {TriggerSettings{{{"topic", "a"}, {"broker", "second"}}}, "uses.messaging"},
        {TriggerSettings{{{"topic", "a"}, {"dead-letter-topic", "b.>"}}}, "has no * and no >"},
        {TriggerSettings{{{"topic", "orders.>"}, {"dead-letter-topic", "orders.dead"}}},
         "\"orders.dead\" is one of the trigger's own topics, \"orders.>\""},
        {TriggerSettings{{{"topic", "a"}, {"dead-letter-topic", "a"}}}, "come back to it"},
        {TriggerSettings{{{"topic", "a"}, {"group", ""}}}, "1 to 250 bytes"},
        {TriggerSettings{{{"topic", "a"}, {"group", "a\nb"}}}, R"("a\nb": a group's name has no)"},
        {TriggerSettings{{{"topic", "a"}, {"group", "a\u202eb"}}}, "no control characters"},
        {TriggerSettings{{{"topic", "a"}, {"ordering", "yes"}}}, "\"none\""}}) {
    auto problems = capability.check_trigger(use, settings);
    ASSERT_EQ(problems.size(), 1U) << what;
    EXPECT_THAT(problems[0].found + ": " + problems[0].write, HasSubstr(what));
  }
  EXPECT_TRUE(
      capability.check_trigger(use, {{{"topic", "orders.*"}, {"dead-letter-topic", "dead.orders"}}})
          .empty());
}

TEST(MessageTriggers, AllThatIsWrongIsToldByItsKey) {
  MessagingCapability capability(log_backend(keyvalue::memory_backend()));
  auto problems =
      capability.check_trigger({.names = {"", "second"}}, {{{"topic", "a/#"},
                                                            {"broker", "secnd"},
                                                            {"group", ""},
                                                            {"ordering", "yes"},
                                                            {"dead-letter-topic", ">"}}});
  std::vector<std::string> keys;
  for (const TriggerProblem& each : problems) keys.push_back(each.key);
  EXPECT_THAT(keys, ElementsAre("broker", "topic", "dead-letter-topic", "group", "ordering"));
  // What is advised can be copied as it is.
  EXPECT_EQ(problems[0].write,
            R"(write uses.messaging = ["", "second", "secnd"], or broker = "second")");
  auto none = capability.check_trigger({}, {{{"topic", "a"}}});
  ASSERT_EQ(none.size(), 1U);
  EXPECT_EQ(none[0].write, R"(write uses.messaging = [""])");
}

TEST(MessageTriggers, OfOneGroupHaveOneTopic) {
  MessagingCapability capability(log_backend(keyvalue::memory_backend()));
  TriggerSettings one{{{"topic", "a"}, {"group", "g"}}};
  using Wake = TriggerPair::Wake;
  auto beside = [&](TriggerSettings other, Wake wake = Wake::kTwo) {
    return capability.check_beside({one, other, wake});
  };
  auto wrong = beside({{{"topic", "b"}, {"group", "g"}}});
  ASSERT_TRUE(wrong.has_value());
  EXPECT_THAT(wrong->found, HasSubstr("\"g\" is brought \"b\" by another trigger"));
  EXPECT_FALSE(beside({{{"topic", "a"}, {"group", "g"}}}).has_value());
  EXPECT_FALSE(beside({{{"topic", "b"}, {"group", "h"}}}).has_value());
  EXPECT_FALSE(beside({{{"topic", "b"}}}).has_value());
  EXPECT_FALSE(beside({{{"topic", "b"}, {"group", "g"}, {"broker", "second"}}}).has_value());
  EXPECT_TRUE(beside({{{"topic", "a"}, {"group", "g"}}}, Wake::kOneComponent).has_value());
  EXPECT_FALSE(beside({{{"topic", "a"}, {"group", "h"}}}, Wake::kOneComponent).has_value());
  EXPECT_FALSE(beside({{{"topic", "a"}}}, Wake::kOneComponent).has_value());
  one = {{{"topic", "a"}}};
  EXPECT_TRUE(beside({{{"topic", "a"}, {"concurrency", "2"}}}, Wake::kOneComponent).has_value());
  EXPECT_FALSE(beside({{{"topic", "a"}}}).has_value());
}

TEST(MessageDrivers, HaveRoomForAMessage) {
  MessagingCapability capability(log_backend(keyvalue::memory_backend()));
  auto memory = [&](const char* size) {
    return capability.check({"memory", {{"size", Secret(std::string(size))}}});
  };
  EXPECT_THAT(memory("1048576").error().message(), HasSubstr("size: write 2MiB at least"));
  EXPECT_TRUE(memory("2097152").has_value());
  EXPECT_FALSE(capability
                   .check({"jetstream",
                           {{"url", Secret(std::string("nats://x"))},
                            {"max-bytes", Secret(std::string("1000"))}}})
                   .has_value());
}

}  // namespace
}  // namespace weft::messaging
