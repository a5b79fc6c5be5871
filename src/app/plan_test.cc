// Shows what a plan settles by the kind of its program: the limits that nobody named, and whether
// it takes arguments.

#include "app/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft {
namespace {

using ::testing::HasSubstr;

class PlanTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Plan>> make(std::string_view guest, Plan::Component component = {}) {
    component.app = component.name = guest;
    component.file = std::string(WEFT_GUESTS) + "/" + std::string(guest) + ".wasm";
    component.grants.args.insert(component.grants.args.begin(), component.file);
    return Plan::make(*runtime_, capabilities_, std::move(component));
  }
  Limits limits(std::string_view guest, Plan::Component component = {}) {
    auto plan = make(guest, std::move(component));
    EXPECT_TRUE(plan) << plan.error().message();
    return plan ? (*plan)->component().limits : Limits{};
  }

  CapabilityTable capabilities_;
  std::unique_ptr<Runtime> runtime_ = *Runtime::create({});
};

// A request is bounded where nobody says how; a command is not.
TEST_F(PlanTest, BoundsRequestsAndNotCommands) {
  for (std::string_view guest : {"hello_p2", "hello_p3"}) {
    Limits request = limits(guest);
    EXPECT_EQ(request.cpu, kHttpCpu);
    EXPECT_EQ(request.time, kHttpTime);
  }
  Limits command = limits("hello_command");
  EXPECT_EQ(command.cpu.count(), 0);
  EXPECT_EQ(command.time.count(), 0);
}

// What is said holds for both, and zero is no limit.
TEST_F(PlanTest, TakesTheLimitsItIsTold) {
  for (std::string_view guest : {"hello_p2", "hello_command"}) {
    Limits told =
        limits(guest, {.cpu = std::chrono::milliseconds(7), .time = std::chrono::milliseconds(8)});
    EXPECT_EQ(told.cpu, std::chrono::milliseconds(7));
    EXPECT_EQ(told.time, std::chrono::milliseconds(8));
    Limits none =
        limits(guest, {.cpu = std::chrono::seconds(0), .time = std::chrono::milliseconds(0)});
    EXPECT_EQ(none.cpu.count(), 0);
    EXPECT_EQ(none.time.count(), 0);
  }
}

// Arguments are a command's; what serves HTTP is refused with the place where options go.
TEST_F(PlanTest, GivesArgumentsToCommandsOnly) {
  WasiGrants grants;
  grants.args = {"--http", "127.0.0.1:0"};
  EXPECT_TRUE(make("hello_command", {.grants = grants}));
  auto refused = make("hello_p2", {.grants = grants});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("weft run --http 127.0.0.1:0 "));
}

}  // namespace
}  // namespace weft
