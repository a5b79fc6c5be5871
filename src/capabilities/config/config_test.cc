// Shows that a component reads exactly what the operator set for it, through each version.
#include "capabilities/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "capabilities/test_folder.h"
#include "capabilities/testing.h"
#include "wit/wasi/config_0_2_0_rc_1/store.h"

namespace weft::config {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
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

TEST(Config, a_driver_gives_the_values_that_it_has_and_the_files_of_weft_the_others) {
  TestFolder folder;
  fs::path file = folder.path() / "values.json";
  std::ofstream(file) << R"({"currency": "USD", "other": "of the file", "mine": "of the file"})";
  ConfigCapability capability;
  Use use{.values = {{"currency", "EUR"}, {"region", "eu"}, {"mine", "mine"}, {"as", "none"}}};
  DriverChoice every{"file", {{"path", Secret(file.string())}}};
  use.drivers.emplace("*", every);
  use.drivers.emplace("mine", DriverChoice{"manifest", {}});
  every.settings.emplace_back("key", Secret(std::string("other")));
  use.drivers.emplace("as", every);
  TestGuest guest(capability, use);
  for (const Offer& offer : capability.offers()) {
    EXPECT_EQ(*guest.call<Value>(offer, "get", "currency"), Value("USD")) << offer.interface;
    EXPECT_EQ(*guest.call<Value>(offer, "get", "region"), Value("eu"));
    EXPECT_EQ(*guest.call<Value>(offer, "get", "mine"), Value("mine"));
    EXPECT_EQ(*guest.call<Value>(offer, "get", "as"), Value("of the file"));
    // What the file has beside that was not asked for.
    EXPECT_EQ(*guest.call<Value>(offer, "get", "other"), Value(std::nullopt));
    EXPECT_THAT(**guest.call<All>(offer, "get-all"),
                ElementsAre(std::tuple("currency", "USD"), std::tuple("region", "eu"),
                            std::tuple("mine", "mine"), std::tuple("as", "of the file")));
  }
}

// Looks often here: what is shown is that somebody looks, and not how often.
TEST(Config, a_changed_value_is_seen_while_a_component_runs) {
  TestFolder folder;
  fs::path file = folder.path() / "values.json";
  std::ofstream(file) << R"({"currency": "USD"})";
  ConfigCapability capability(std::chrono::milliseconds(5));
  Use use{.values = {{"currency", "EUR"}}};
  use.drivers.emplace("*", DriverChoice{"file", {{"path", Secret(file.string())}}});
  TestGuest guest(capability, use);
  const Offer& offer = capability.offers()[0];
  EXPECT_EQ(*guest.call<Value>(offer, "get", "currency"), Value("USD"));
  std::ofstream(folder.path() / "new") << R"({"currency": "GBP"})";
  fs::rename(folder.path() / "new", file);
  Deadline deadline = Deadline::after(std::chrono::seconds(20));
  while (*guest.call<Value>(offer, "get", "currency") != Value("GBP")) {
    ASSERT_FALSE(deadline.passed());
  }
}

TEST(Config, what_a_driver_cannot_read_is_told_before_anything_runs) {
  ConfigCapability capability;
  Use use{.values = {{"currency", "EUR"}}};
  use.drivers.emplace("*", DriverChoice{"file", {{"path", Secret(std::string("/no/such.json"))}}});
  for (const auto& result : {capability.look(use.drivers.at("*")), capability.prepare(use)}) {
    ASSERT_FALSE(result.has_value());
    EXPECT_THAT(result.error().message(), HasSubstr("/no/such.json: it cannot be read"));
  }
}

}  // namespace
}  // namespace weft::config
