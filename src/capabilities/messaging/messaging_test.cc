// Shows what is said of a trigger before anything runs.
#include "capabilities/messaging/messaging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/keyvalue/backend.h"
#include "capabilities/messaging/log_broker.h"

namespace weft::messaging {
namespace {

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
    auto checked = capability.check_trigger(use, settings);
    ASSERT_FALSE(checked.has_value()) << what;
    EXPECT_THAT(checked.error().message(), HasSubstr(what));
  }
  EXPECT_TRUE(
      capability.check_trigger(use, {{{"topic", "orders.*"}, {"dead-letter-topic", "dead.orders"}}})
          .has_value());
}

TEST(MessageTriggers, OfOneGroupHaveOneTopic) {
  MessagingCapability capability(log_backend(keyvalue::memory_backend()));
  TriggerSettings one{{{"topic", "a"}, {"group", "g"}}};
  auto beside = [&](TriggerSettings other) { return capability.check_beside(one, other); };
  auto checked = beside({{{"topic", "b"}, {"group", "g"}}});
  ASSERT_FALSE(checked.has_value());
  EXPECT_THAT(checked.error().message(), HasSubstr("\"g\" is brought \"b\" by another trigger"));
  EXPECT_TRUE(beside({{{"topic", "a"}, {"group", "g"}}}).has_value());
  EXPECT_TRUE(beside({{{"topic", "b"}, {"group", "h"}}}).has_value());
  EXPECT_TRUE(beside({{{"topic", "b"}}}).has_value());
  EXPECT_TRUE(beside({{{"topic", "b"}, {"group", "g"}, {"broker", "second"}}}).has_value());
}

}  // namespace
}  // namespace weft::messaging
