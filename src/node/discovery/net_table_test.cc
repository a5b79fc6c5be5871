// Shows neighbours as a table, a tree and JSON; whatever they say of themselves, a terminal is told
// nothing but text.

#include "node/discovery/net_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "node/discovery/testing/test_beacons.h"

namespace weft::node::discovery {
namespace {

using namespace std::chrono_literals;
using testing::at;
using ::testing::HasSubstr;
using testing::moment;

std::vector<Neighbour> two() {
  Neighbour a{.key = *PublicKey::parse(std::string(64, 'a')),
              .beacon = testing::test_beacon("kitchen", 17, 4, moment(0s)),
              .addresses = {{at("192.0.2.1"), moment(9s).steady},
                            {at("fe80::1", 40'000, 3), moment(9s).steady}},
              .since = moment(0s).steady,
              .heard = moment(9'500ms).steady};
  a.beacon.offers = "demo:math@1.0.0\ndemo:text@2.0.0";
  Neighbour b = a;
  b.key = *PublicKey::parse(std::string(64, 'b'));
  b.beacon.name = "k\xc3\xbc\x1b[2J";
  b.beacon.offers = "";
  b.addresses.pop_back();
  b.twin = true;
  return {a, b};
}

TEST(NetTable, IsALineANode) {
  EXPECT_EQ(net_table(two(), moment(10s).steady),
            "NAME           KEY               ADDRESS            HERE FOR  OFFERS\n"
            "kitchen        aaaaaaaaaaaaaaaa  192.0.2.1:7420 +1  10 s      "
            "demo:math@1.0.0, demo:text@2.0.0\n"
            "k\xc3\xbc\\x1b[2J (!)  bbbbbbbbbbbbbbbb  192.0.2.1:7420     10 s\n");
  EXPECT_EQ(net_table({}, moment(0s).steady), "NAME  KEY  ADDRESS  HERE FOR  OFFERS\n");
}

TEST(NetTable, IsATree) {
  std::string tree = net_tree(two(), moment(10s).steady);
  EXPECT_THAT(tree, HasSubstr("kitchen " + std::string(64, 'a') +
                              "\n  at 192.0.2.1:7420\n"
                              "  at [fe80::1%3]:7420\n  here for 10 s, heard 500 ms ago\n"
                              "  offers demo:math@1.0.0\n  offers demo:text@2.0.0\n"));
  EXPECT_THAT(tree, HasSubstr("another node has the same key"));
  EXPECT_EQ(tree.find('\x1b'), std::string::npos);
}

TEST(NetTable, IsJson) {
  auto json = boost::json::parse(net_json(two(), moment(10s).steady));
  const auto& nodes = json.at("nodes").as_array();
  ASSERT_EQ(nodes.size(), 2U);
  EXPECT_EQ(nodes[0].at("name").as_string(), "kitchen");
  EXPECT_EQ(nodes[0].at("addresses").as_array().size(), 2U);
  EXPECT_EQ(nodes[0].at("offers").as_array()[1].as_string(), "demo:text@2.0.0");
  EXPECT_EQ(nodes[0].at("boot").as_string(), "17");
  EXPECT_EQ(nodes[0].at("here_ms").as_int64(), 10'000);
  EXPECT_TRUE(nodes[1].at("twin").as_bool());
  EXPECT_TRUE(nodes[1].at("offers").as_array().empty());
}

}  // namespace
}  // namespace weft::node::discovery
