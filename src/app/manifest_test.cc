// Shows what a weft.toml says, and that everything that is wrong with one is told at once.
#include "app/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Nothing of them is opened.
const CapabilityTable kCapabilities = embedded_capabilities({.state_folder = {}});

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
  auto manifest = Manifest::parse(kShop, "weft.toml", kCapabilities, problems);
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
                                  "weft.toml", kCapabilities, problems);
  ASSERT_TRUE(manifest.has_value());
  EXPECT_EQ(
      problems.text(),
      "weft.toml:2:8: \"My Shop\" is no name of an app: write 1 to 63 of a-z, 0-9 and -\n"
      "weft.toml:3:1: [component.cart] has no source: write source = \"FILE.wasm\"\n"
      "weft.toml:4:1: unknown key \"sorce\" in [component.cart]: did you mean source?\n"
      "weft.toml:5:17: uses.keyvalue is a string: write a list of strings, like [\"NAME\"]\n"
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

// Shows that a line too many is told for what it is, and is suggested to nobody.
TEST(Manifest, a_capability_that_needs_no_line_says_so) {
  Problems problems;
  Manifest::parse(
      "[app]\nname = \"x\"\n[component.a]\nsource = \"a.wasm\"\nuses.logging = [\"a\"]\n"
      "uses.loging = []\n",
      "f", kCapabilities, problems);
  EXPECT_EQ(problems.text(),
            "f:5:6: logging needs no line: leave it out\n"
            "f:6:6: unknown key \"loging\" in [component.a.uses]: what is known here: blobstore, "
            "config, cron, env, folders, http, keyvalue, lock, messaging, net, secrets, "
            "sensor, sql\n");
}

TEST(Manifest, limits_have_bounds) {
  Problems problems;
  Manifest::parse(R"([app]
name = "x"
[component.a]
source = "a.wasm"
limits = { memory = 12, time = "99999999h", cpu = "400d", instances = 4097, stream-idle = "9000h" }
)",
                  "f", kCapabilities, problems);
  EXPECT_EQ(
      problems.text(),
      "f:5:21: component.a.limits.memory is 12: write a size from 64KiB to 4GiB\n"
      "f:5:32: component.a.limits.time is \"99999999h\": write at most a year; \"0s\" is no limit\n"
      "f:5:51: component.a.limits.cpu is \"400d\": write a length of time with its unit, like "
      "\"200ms\", \"5s\" or \"10min\"\n"
      "f:5:71: component.a.limits.instances is 4097: write a number from 1 to 4096\n"
      "f:5:91: component.a.limits.stream-idle is \"9000h\": write at most a year; \"0s\" is no "
      "limit\n");
}

TEST(Manifest, says_how_weft_compiles_a_component) {
  Problems problems;
  auto manifest = Manifest::parse(R"([app]
name = "shop"
[component.cart]
build = { language = "c++", sources = ["a.cc", "b.c"], world = "http", flags = ["-DX"] }
[component.own]
source = "own.wasm"
build = { language = "c", sources = ["own.c"], wit = "wit" }
[component.web]
build = { language = "go", folder = "web", wit = "wit", world = "web" }
[component.tool]
build = { language = "rust", flags = ["--locked"] }
)",
                                  "weft.toml", kCapabilities, problems);
  ASSERT_TRUE(manifest && !problems.failed()) << problems.text();
  const ComponentManifest& cart = *manifest->find("cart");
  ASSERT_TRUE(cart.compiled);
  EXPECT_FALSE(cart.build);
  EXPECT_EQ(cart.source.text, "build/cart.wasm");
  EXPECT_EQ(cart.compiled->language, BuildSettings::Language::kCxx);
  EXPECT_EQ(cart.compiled->sources[1].text, "b.c");
  EXPECT_EQ(cart.compiled->world.text, "http");
  EXPECT_EQ(cart.compiled->flags[0].text, "-DX");
  const ComponentManifest& own = *manifest->find("own");
  EXPECT_EQ(own.source.text, "own.wasm");
  EXPECT_EQ(own.compiled->language, BuildSettings::Language::kC);
  EXPECT_EQ(own.compiled->wit->text, "wit");
  const ComponentManifest& web = *manifest->find("web");
  EXPECT_EQ(web.compiled->language, BuildSettings::Language::kGo);
  EXPECT_EQ(web.compiled->folder, "web");
  EXPECT_EQ(web.compiled->world.text, "web");
  const ComponentManifest& tool = *manifest->find("tool");
  EXPECT_EQ(tool.source.text, "build/tool.wasm");
  EXPECT_EQ(tool.compiled->language, BuildSettings::Language::kRust);
  EXPECT_EQ(tool.compiled->flags[0].text, "--locked");
}

TEST(Manifest, what_is_wrong_with_a_build_is_told) {
  Problems problems;
  Manifest::parse(R"([app]
name = "shop"
[component.a]
build = { language = "basic", sources = [], wrld = "http" }
[component.b]
build = { language = "c", sources = ["b.c"], world = "htpp" }
[component.c]
source = "c.wasm"
build = 1
[component.d]
build = { language = "rust", sources = ["d.rs"] }
)",
                  "f", kCapabilities, problems);
  EXPECT_EQ(problems.text(),
            "f:4:9: component.a.build has no world: write world = \"http\" (WASI 0.3), \"http-p2\" "
            "or \"command\"; or wit = \"wit\"\n"
            "f:4:22: weft does not compile \"basic\": write \"c\", \"c++\", \"go\" or \"rust\", or "
            "give a "
            "command: build = \"make cart.wasm\"\n"
            "f:4:31: component.a.build has 0 sources: name 1 to 1000 files\n"
            "f:4:45: unknown key \"wrld\" in component.a.build: did you mean world?\n"
            "f:6:54: the SDK has no world \"htpp\": did you mean http? A world of your own: wit = "
            "\"wit\" names its folder\n"
            "f:9:9: component.c.build is 1: write a string in quotes\n"
            "f:11:30: unknown key \"sources\" in component.d.build: what is known here: flags, "
            "folder, language\n");
}

constexpr std::string_view kLinked = R"([app]
name = "x"
[component.a]
source = "a.wasm"
[component.a.links."p:q/r"]
)";

TEST(Manifest, says_what_stands_around_a_link) {
  Problems problems;
  auto manifest = Manifest::parse(std::string(kLinked) + R"(to = "provider:b"
deadlines = { f = "2s" }
retry = { functions = ["f", "g"], attempts = 4, wait = "20ms", attempt-deadline = "500ms" }
concurrency = 8
cache = { functions = ["h"], entries = 10, size = "1MiB", for = "10min" }
[component.a.links."p:q/s"]
to = "provider:b"
concurrency = { calls = 2, waiting = 0 }
retry.functions = ["f"]
cache.functions = ["f"]
)",
                                  "f", kCapabilities, problems);
  ASSERT_TRUE(manifest && !problems.failed()) << problems.text();
  const LinkSettings& all = manifest->find("a")->links[0];
  EXPECT_EQ(all.deadline_of("f"), std::chrono::seconds(2));
  EXPECT_TRUE(LinkLayerSettings::has(all.layers.retry->functions, "g"));
  EXPECT_EQ(all.layers.retry->functions[1].place.text(), "f:8:29");
  EXPECT_EQ(all.layers.retry->attempts, 4U);
  EXPECT_EQ(all.layers.retry->wait, std::chrono::milliseconds(20));
  EXPECT_EQ(all.layers.retry->attempt_deadline, std::chrono::milliseconds(500));
  EXPECT_EQ(all.layers.concurrency->calls, 8U);
  EXPECT_EQ(all.layers.concurrency->waiting, 1024U);
  EXPECT_EQ(all.layers.cache->entries, 10U);
  EXPECT_EQ(all.layers.cache->bytes, std::uint64_t{1} << 20);
  EXPECT_EQ(all.layers.cache->keep, std::chrono::minutes(10));
  const LinkSettings& least = manifest->find("a")->links[1];
  EXPECT_EQ(least.layers.concurrency->waiting, 0U);
  EXPECT_EQ(least.layers.retry->attempts, 3U);
  EXPECT_FALSE(least.layers.retry->attempt_deadline);
  EXPECT_EQ(least.layers.cache->entries, 1000U);
  EXPECT_FALSE(least.layers.cache->keep);
}

TEST(Manifest, what_is_wrong_around_a_link_is_told) {
  Problems problems;
  Manifest::parse(std::string(kLinked) + R"(to = "provider:b"
retry = { attempts = 1, wait = "0s", functoins = [] }
concurrency = 0
cache = { functions = "h", entries = 0, size = "1B", for = "soon" }
[component.a.links."p:q/s"]
to = "provider:b"
retry = 3
concurrency = { waiting = -1 }
cache = true
)",
                  "f", kCapabilities, problems);
  // Each with the name of its table, which is long.
  std::string told = problems.text();
  constexpr std::string_view kTable = "component.a.links.\"p:q/";
  for (std::size_t at; (at = told.find(kTable)) != std::string::npos;) {
    told.erase(at, kTable.size());
  }
  EXPECT_EQ(told, R"(f:7:9: r".retry has no functions: write functions = ["NAME"], those that may )"
                  R"(run more than once for one call
f:7:22: r".retry.attempts is 1: write a number from 2 to 10
f:7:32: r".retry.wait is "0s": write at least 1ms
f:7:38: unknown key "functoins" in r".retry: did you mean functions?
f:8:15: r".concurrency is 0: write a number from 1 to 65536
f:9:23: r".cache.functions is a string: write a list of strings, like ["predict"]
f:9:38: r".cache.entries is 0: write a number from 1 to 1000000
f:9:48: r".cache.size is "1B": write a size from 1KiB to 64GiB
f:9:60: r".cache.for is "soon": write a length of time with its unit, like "200ms", "5s" or "10min"
f:12:9: s".retry is 3: write a table: [s".retry]
f:13:15: s".concurrency has no calls: write calls = 8, how many may be under way at once
f:13:27: s".concurrency.waiting is -1: write a number from 0 to 65536
f:14:9: s".cache is true or false: write a table: [s".cache]
)");
}

TEST(Manifest, reads_shared_components_and_links_by_name) {
  Problems problems;
  auto manifest = Manifest::parse(R"([app]
name = "a"
[component.engine]
source = "engine.wasm"
shared = true
[component.web]
source = "web.wasm"
links.primary = { to = "component:engine", interface = "acme:ml/inference" }
links."acme:ml/inference@1.0.0" = "component:engine"
)",
                                  "f", kCapabilities, problems);
  ASSERT_EQ(problems.text(), "");
  EXPECT_TRUE(manifest->components[0].shared);
  const ComponentManifest& web = manifest->components[1];
  EXPECT_FALSE(web.shared);
  ASSERT_EQ(web.links.size(), 2u);
  EXPECT_EQ(web.links[0].interface.text, "primary");
  EXPECT_EQ(web.links[0].as.text, "acme:ml/inference");
  EXPECT_EQ(web.links[1].as.text, "");
}

TEST(Manifest, an_empty_file_is_told_what_it_needs) {
  Problems problems;
  ASSERT_TRUE(Manifest::parse("", "weft.toml", kCapabilities, problems).has_value());
  EXPECT_THAT(problems.text(), HasSubstr("there is no [app]: write [app] and in it name"));
  EXPECT_THAT(problems.text(), HasSubstr("the app has no component: write [component.NAME]"));
}

TEST(Manifest, a_section_of_another_type_is_told) {
  Problems problems;
  Manifest::parse("app = 1\ncomponent = []\n[trigger]\nhttp = { route = \"/\" }\n", "f",
                  kCapabilities, problems);
  EXPECT_THAT(problems.text(), HasSubstr("app is 1: write a table: [app]"));
  EXPECT_THAT(problems.text(), HasSubstr("component is a list: write a table: [component]"));
  EXPECT_THAT(problems.text(), HasSubstr("write each with double brackets: [[trigger.http]]"));
}

TEST(Manifest, triggers_and_spaces_that_are_none_are_told_with_what_was_meant) {
  Problems problems;
  Manifest::parse(R"([app]
name = "shop"
[component.cart]
source = "cart.wasm"
uses.lock = ["orders/*"]
uses.sensor = ["boiler", "hall/temperature"]
[[trigger.messages]]
component = "cart"
[[trigger.alarm-clock]]
component = "cart"
)",
                  "weft.toml", kCapabilities, problems);
  EXPECT_EQ(
      problems.text(),
      "weft.toml:5:14: \"orders/*\" is no space of locks: write \"orders\", which is for the lock "
      "orders and all of orders/...\n"
      "weft.toml:6:26: \"hall/temperature\" is no space of sensors: write \"hall\", which is for "
      "all of their names that begin with hall/\n"
      "weft.toml:7:11: there is no [[trigger.messages]]: did you mean [[trigger.message]]?\n"
      "weft.toml:9:11: there is no [[trigger.alarm-clock]]: what there is: [[trigger.http]], "
      "[[trigger.cron]], [[trigger.message]], [[trigger.keyvalue]], [[trigger.sensor]]\n");
}

TEST(Manifest, the_places_of_a_triggers_keys_are_kept) {
  Problems problems;
  auto manifest = Manifest::parse(R"([app]
name = "shop"
[component.cart]
source = "cart.wasm"
[[trigger.message]]
component = "cart"
topic = "a"
)",
                                  "weft.toml", kCapabilities, problems);
  ASSERT_EQ(manifest->events.size(), 1u) << problems.text();
  EXPECT_EQ(manifest->events[0].place_of("topic").text(), "weft.toml:7:9");
  EXPECT_EQ(manifest->events[0].place_of("broker").text(), "weft.toml:5:1");
}

}  // namespace
}  // namespace weft
