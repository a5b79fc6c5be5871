// Shows that docs/CONFIGURATION.md names every key that either file may have, and no other.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "app/environment.h"
#include "app/manifest.h"
#include "capabilities/test_folder.h"

namespace weft {
namespace {

constexpr std::string_view kManifest = R"([app]
name = "app"
[component.name]
build = { language = "c", sources = ["a.c"], world = "http" }
uses.env = []
limits = { memory = "1MiB" }
[component.name.links."pkg:name/interface"]
to = "provider:name"
retry = { functions = ["f"] }
concurrency = { calls = 1 }
cache = { functions = ["f"] }
[provider.name]
command = ["a"]
[[trigger.http]]
route = "/"
component = "name"
[[trigger.keyvalue]]
component = "a"
[[trigger.message]]
component = "a"
topic = "t"
[[trigger.cron]]
component = "a"
schedule = "@daily"
[[trigger.sensor]]
component = "a"
sensor = "boiler/t"
)";

constexpr std::string_view kEnvironment = R"([http]
tls = { certificate = "a", key = "b" }
limits = { headers = 10 }
[admin]
[log]
[state]
[limits.app.component]
[folder.name]
path = "a"
[node.name]
at = "a"
key = "a"
[network]
)";

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// "[component.name]" and "component.name" are one table.
std::string table_name(std::string text) {
  std::erase_if(text, [](char c) { return c == '[' || c == ']'; });
  return lower(std::move(text));
}

// By table: the keys in the first column below each "### [TABLE]" of one part of the page.
Problems::Keys documented(std::string_view part) {
  std::ifstream file(WEFT_SOURCE "/docs/CONFIGURATION.md");
  Problems::Keys keys;
  std::string table;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) inside = line.starts_with(part);
    if (!inside) continue;
    if (line.starts_with("### "))
      table = line.starts_with("### [") ? table_name(line.substr(4)) : "";
    if (line.starts_with("| `")) keys[table].insert(line.substr(3, line.find('`', 3) - 3));
  }
  return keys;
}

Problems::Keys known(const Problems& problems) {
  Problems::Keys keys;
  for (const auto& [table, names] : problems.keys()) {
    keys[table_name(table)].insert(names.begin(), names.end());
  }
  return keys;
}

// One key a line, so that a difference is seen at once.
std::string text(const Problems::Keys& keys) {
  std::ostringstream out;
  for (const auto& [table, names] : keys) {
    for (const std::string& name : names) out << '[' << table << "] " << name << '\n';
  }
  return out.str();
}

class Configuration : public ::testing::Test {
 protected:
  CapabilityTable capabilities_ = embedded_capabilities({.state_folder = {}});
  Problems problems_;
};

TEST_F(Configuration, every_key_of_the_developers_file_is_written_of) {
  Manifest::parse(kManifest, "weft.toml", capabilities_, problems_);
  ASSERT_FALSE(problems_.failed()) << problems_.text();
  EXPECT_EQ(text(documented("## The developer's file")), text(known(problems_)));
}

TEST_F(Configuration, every_key_of_the_operators_file_is_written_of) {
  std::string file(kEnvironment);
  TestFolder empty;
  // Of each capability the settings of all its drivers.
  for (const auto& capability : capabilities_.all()) {
    int number = 0;
    auto form = capability->uses();
    bool valued = form && form->shape == UsesForm::Shape::kValues;
    for (const DriverInfo& driver : capability->drivers()) {
      file += "[" + std::string(capability->name()) + (valued ? ".app.component.key" : ".name") +
              std::to_string(++number) + "]\ndriver = \"" + std::string(driver.name) + "\"\n";
      for (const DriverKey& key : driver.keys) {
        if (key.needed.empty()) continue;
        file += std::string(key.name) + " = \"" + std::string(key.needed) + "\"\n";
      }
      // Who asks is said in one of two ways.
      if (driver.name == "azure-blob") file += "key = \"a2V5\"\n";
      // What values come from is looked at.
      if (valued && !driver.keys.empty() && driver.keys[0].kind == DriverKey::Kind::kPath) {
        file += std::string(driver.keys[0].name) + " = \"" + empty.path().string() + "\"\n";
      }
    }
  }
  Environment::parse(
      file, "prod.toml", capabilities_, [](std::string_view) { return std::nullopt; }, problems_);
  ASSERT_FALSE(problems_.failed()) << problems_.text();
  Problems::Keys keys;
  for (auto& [table, names] : known(problems_)) {
    std::string whole = table.substr(0, table.find_last_not_of("0123456789") + 1);
    keys[whole].insert(names.begin(), names.end());
  }
  // These have the keys of the developer's file, and are written of there.
  Problems::Keys developers = documented("## The developer's file");
  EXPECT_EQ(keys["limits.app.component"], developers["component.name.limits"]);
  keys.erase("limits.app.component");
  EXPECT_EQ(text(documented("## The operator's file")), text(keys));
}

}  // namespace
}  // namespace weft
