// Shows what a weft.toml says, and that everything that is wrong with one is told at once.
#include "app/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kShop = R"([app]
name = "shop"

[component.cart]
source = "build/cart.wasm"
build = "make cart.wasm"
uses.keyvalue = ["carts", "prices"]
uses.config = { currency = "EUR" }
uses.secrets = []
limits = { memory = "64MiB", cpu = "200ms", time = "5s", stream-idle = "30s", instances = 64 }

[component.page]
source = "page.wasm"
uses.config = []

[[trigger.http]]
route = "/cart/..."
host = "shop.example.com"
methods = ["GET", "POST"]
component = "cart"

[[trigger.http]]
route = "/static/..."
files = "static"
)";

TEST(Manifest, says_what_is_in_the_file) {
  Problems problems;
  auto manifest = Manifest::parse(kShop, "weft.toml", problems);
  ASSERT_TRUE(manifest && !problems.failed()) << problems.text();
  EXPECT_EQ(manifest->name.text, "shop");
  ASSERT_EQ(manifest->components.size(), 2u);
  const ComponentManifest& cart = *manifest->find("cart");
  EXPECT_EQ(cart.source.text, "build/cart.wasm");
  EXPECT_EQ(cart.source.place.text(), "weft.toml:5:10");
  EXPECT_EQ(cart.build->text, "make cart.wasm");
  EXPECT_EQ(cart.uses.at("keyvalue").names[1].text, "prices");
  EXPECT_EQ(cart.uses.at("config").values[0].second.text, "EUR");
  EXPECT_TRUE(cart.uses.at("secrets").names.empty());
  EXPECT_FALSE(cart.uses.contains("http"));
  EXPECT_EQ(cart.limits.memory_bytes, std::uint64_t{64} << 20);
  EXPECT_EQ(cart.limits.cpu, std::chrono::milliseconds(200));
  EXPECT_EQ(cart.limits.stream_idle, std::chrono::seconds(30));
  EXPECT_EQ(cart.limits.text(), "memory 64MiB, cpu 200ms, time 5s, stream-idle 30s, instances 64");
  EXPECT_TRUE(manifest->find("page")->uses.at("config").values.empty());
  ASSERT_EQ(manifest->triggers.size(), 2u);
  EXPECT_THAT(manifest->triggers[0].methods, ElementsAre("GET", "POST"));
  EXPECT_EQ(manifest->triggers[0].component->text, "cart");
  EXPECT_EQ(manifest->triggers[1].files->text, "static");
}

TEST(Manifest, everything_wrong_is_told_at_once) {
  Problems problems;
  auto manifest = Manifest::parse(R"([app]
name = "My Shop"
[component.cart]
sorce = "x.wasm"
uses.keyvalue = "carts"
uses.keyvalu = []
limits = { memory = "lots", cpus = "1s" }
[[trigger.http]]
route = "/"
[[trigger.http]]
component = "cart"
files = "x"
[triger]
)",
                                  "weft.toml", problems);
  ASSERT_TRUE(manifest.has_value());
  EXPECT_EQ(
      problems.text(),
      "weft.toml:2:8: \"My Shop\" is no name of an app: write 1 to 63 of a-z, 0-9 and -\n"
      "weft.toml:3:1: [component.cart] has no source: write source = \"FILE.wasm\"\n"
      "weft.toml:4:1: unknown key \"sorce\" in [component.cart]: did you mean source?\n"
      "weft.toml:5:17: uses.keyvalue is a string: write a list of strings, like [\"carts\"]\n"
      "weft.toml:6:6: unknown key \"keyvalu\" in [component.cart.uses]: did you mean keyvalue?\n"
      "weft.toml:7:21: component.cart.limits.memory is \"lots\": write a size, like \"64MiB\"\n"
      "weft.toml:7:29: unknown key \"cpus\" in component.cart.limits: did you mean cpu?\n"
      "weft.toml:8:1: [[trigger.http]] has no component: write component = \"NAME\", or files = "
      "\"FOLDER\"\n"
      "weft.toml:10:1: [[trigger.http]] has no route: write route = \"/...\" to take all "
      "requests\n"
      "weft.toml:10:1: [[trigger.http]] has both component and files: leave one of them out\n"
      "weft.toml:13:2: unknown key \"triger\": did you mean trigger?\n");
}

TEST(Manifest, an_empty_file_is_told_what_it_needs) {
  Problems problems;
  ASSERT_TRUE(Manifest::parse("", "weft.toml", problems).has_value());
  EXPECT_THAT(problems.text(), HasSubstr("there is no [app]: write [app] and in it name"));
  EXPECT_THAT(problems.text(), HasSubstr("the app has no component: write [component.NAME]"));
}

TEST(Manifest, a_section_of_another_type_is_told) {
  Problems problems;
  Manifest::parse("app = 1\ncomponent = []\n[trigger]\nhttp = { route = \"/\" }\n", "f", problems);
  EXPECT_THAT(problems.text(), HasSubstr("app is 1: write a table: [app]"));
  EXPECT_THAT(problems.text(), HasSubstr("component is a list: write a table: [component]"));
  EXPECT_THAT(problems.text(), HasSubstr("write each with double brackets: [[trigger.http]]"));
}

}  // namespace
}  // namespace weft
