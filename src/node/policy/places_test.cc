// Shows that where a node keeps its state and its socket is found beside settings that are wrong,
// and told where it cannot be known.
#include "node/policy/places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "capabilities/test_folder.h"
#include "node/policy/settings.h"

namespace weft::node {
namespace {

using ::testing::HasSubstr;

class PlacesTest : public ::testing::Test {
 protected:
  void write(const std::string& name, std::string_view text) const {
    std::filesystem::path path = folder_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::optional<NodePlaces> read() { return NodePlaces::read(folder_.path(), problems_); }

  TestFolder folder_;
  Problems problems_;
};

TEST_F(PlacesTest, TheyAreThoseOfTheSettings) {
  for (std::string_view text :
       {"# As it comes.\n", "[node]\nstate = \"kept\"\n", "[node]\ncontrol = \"run/socket\"\n",
        "[node]\nstate = \"/var/lib/weft\"\ncontrol = \"/run/weft\"\n"}) {
    write("node.toml", text);
    auto settings = NodeSettings::read(folder_.path(), problems_);
    auto places = read();
    ASSERT_TRUE(settings && places) << problems_.text();
    EXPECT_EQ(places->state, settings->state);
    EXPECT_EQ(places->control_socket, settings->control_socket);
  }
}

TEST_F(PlacesTest, WhatElseIsWrongDoesNotMatter) {
  write("node.toml",
        "[node]\nnmae = 5\nlisten = 7\nstate = \"kept\"\n[gruop]\n[quota]\ncpu = []\n");
  write("node.d/10-more.toml", "[quota]\ncpu = \"1h\"\n[node]\ncontrol = \"socket\"\n");
  EXPECT_FALSE(NodeSettings::read(folder_.path(), problems_));
  problems_ = Problems();
  auto places = read();
  ASSERT_TRUE(places) << problems_.text();
  EXPECT_EQ(problems_.text(), "");
  EXPECT_EQ(places->state, folder_.path() / "kept");
  EXPECT_EQ(places->control_socket, folder_.path() / "socket");
}

TEST_F(PlacesTest, WhereTheyCannotBeKnownThatIsTold) {
  for (auto [text, said] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"[node", "node.toml:1:"},
           {"[node]\nstate = 5\n", "node.state is 5"},
           {"[node]\ncontrol = \"\"\n", "node.control is no path"}}) {
    problems_ = Problems();
    write("node.toml", text);
    EXPECT_FALSE(read()) << text;
    EXPECT_THAT(problems_.text(), HasSubstr(said));
  }
  // Any file may be the one that says it.
  write("node.toml", "[node]\nstate = \"one\"\n");
  write("node.d/10-broken.toml", "state");
  EXPECT_FALSE(read());
  problems_ = Problems();
  write("node.d/10-broken.toml", "[node]\nstate = \"another\"\n");
  EXPECT_FALSE(read());
  EXPECT_THAT(problems_.text(), HasSubstr("node.state is written here and at "));
}

}  // namespace
}  // namespace weft::node
