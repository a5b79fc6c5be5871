// Shows how a driver's settings are read.
#include "capabilities/capability.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

TEST(DriverChoices, HaveTextOrWhatIsSaidOtherwise) {
  DriverChoice choice{"redis", {{"prefix", Secret("shop")}, {"empty", Secret("")}}};
  EXPECT_EQ(choice.text("prefix", "weft"), "shop");
  EXPECT_EQ(choice.text("empty", "weft"), "");
  EXPECT_EQ(choice.text("other", "weft"), "weft");
  EXPECT_EQ(choice.text("other"), "");
}

TEST(DriverChoices, HaveTimesOrSayWhichIsNone) {
  DriverChoice choice{
      "redis", {{"timeout", Secret("2s")}, {"every", Secret("10us")}, {"age", Secret("long")}}};
  EXPECT_EQ(choice.duration("timeout", milliseconds(5)).value(), milliseconds(2'000));
  EXPECT_EQ(choice.duration("every", milliseconds(5)).value(), milliseconds(1));
  EXPECT_EQ(choice.duration("other", milliseconds(5)).value(), milliseconds(5));
  auto wrong = choice.duration("age", milliseconds(5));
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code(), Errc::kInvalid);
  EXPECT_THAT(wrong.error().message(), HasSubstr("age"));
}

TEST(Grants, AreToldAsTheyAreToBeWritten) {
  Use use{.names = {"", "a \"b\""}};
  TriggerProblem problem = not_granted(use, "messaging", "broker", "orders");
  EXPECT_EQ(problem.key, "broker");
  EXPECT_EQ(problem.found, "the component is not granted the broker \"orders\"");
  EXPECT_EQ(problem.write, R"(write uses.messaging = ["", "a \"b\"", "orders"], or broker = "")");
  problem = not_granted({.names = {"orders", "bills"}}, "messaging", "broker", "bill");
  EXPECT_EQ(problem.write,
            R"(write uses.messaging = ["orders", "bills", "bill"], or broker = "bills")");
  problem = not_granted({}, "messaging", "broker", "");
  EXPECT_THAT(problem.found, HasSubstr("names no broker"));
  EXPECT_EQ(problem.write, R"(write uses.messaging = [""])");
}

}  // namespace
}  // namespace weft
