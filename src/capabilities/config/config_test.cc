// Shows that a component reads exactly what the operator set for it, through each version.
#include "capabilities/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/testing.h"
#include "wit/wasi/config_0_2_0_rc_1/store.h"

namespace weft::config {
namespace {

using ::testing::ElementsAre;
using wit::wasi::config_0_2_0_rc_1::store::Error;
using Value = std::expected<std::optional<std::string>, Error>;
using All = std::expected<std::vector<std::tuple<std::string, std::string>>, Error>;

TEST(Config, each_version_gives_the_values_of_the_component) {
  ConfigCapability capability;
  TestGuest guest(capability, {.values = {{"hello", "world"}, {"empty", ""}}});
  EXPECT_EQ(capability.offers().size(), 4u);
  for (const Offer& offer : capability.offers()) {
    EXPECT_EQ(*guest.call<Value>(offer, "get", "hello"), Value("world")) << offer.interface;
    EXPECT_EQ(*guest.call<Value>(offer, "get", "empty"), Value(""));
    EXPECT_EQ(*guest.call<Value>(offer, "get", "HELLO"), Value(std::nullopt));
    EXPECT_EQ(*guest.call<Value>(offer, "get", "no such/key \u2603"), Value(std::nullopt));
    auto all = *guest.call<All>(offer, "get-all");
    ASSERT_TRUE(all.has_value());
    EXPECT_THAT(*all, ElementsAre(std::tuple("hello", "world"), std::tuple("empty", "")));
  }
}

TEST(Config, nothing_is_set_where_nothing_was_granted) {
  ConfigCapability capability;
  TestGuest guest(capability, {.any_name = true});
  EXPECT_THAT(**guest.call<All>(capability.offers()[0], "get-all"), ElementsAre());
}

}  // namespace
}  // namespace weft::config
