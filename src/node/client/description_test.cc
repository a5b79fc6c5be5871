// Shows that what a node's catalogue writes is read again by those who ask, and that what a hostile
// node writes is refused, whatever it is.
#include "node/client/description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/library/catalogue_json.h"
#include "node/library/names.h"

namespace weft::node::client {
namespace {

using ::testing::HasSubstr;

TEST(Description, ReadsWhatACatalogueTells) {
  library::Library words{.name = "acme:words",
                         .version = "1.2.0",
                         .module = Hash::of(as_bytes("words")),
                         .functions = {{"acme:words/count#count", "func(text: string) -> u32"}}};
  library::Service served{
      .interface = "acme:words/count", .module = words.module, .functions = words.functions};
  std::string told = library::catalogue_json(std::span(&words, 1), std::span(&served, 1));
  auto read =
      read_description(R"({"name":"attic","group":"friends","may":"describe,call","later":[1],)"
                       R"("left":{"runs":8,"cpu":1500000000,"later":"x","storage":1048576},)" +
                       told.substr(1));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->name, "attic");
  EXPECT_EQ(read->may, "describe,call");
  EXPECT_EQ(read->libraries, std::vector{words});
  EXPECT_EQ(read->services, std::vector{served});
  EXPECT_EQ(description_tree(*read),
            "  in its group friends we may describe,call\n"
            "  left of its quota: cpu 1.5 s, storage 1.0 MiB, runs 8\n"
            "  service acme:words/count\n"
            "    acme:words/count#count: func(text: string) -> u32\n"
            "  library acme:words@1.2.0 " +
                words.module.text().substr(0, 16) +
                "\n"
                "    acme:words/count#count: func(text: string) -> u32\n");
  // A stranger is told the name.
  EXPECT_TRUE(read_description(R"({"name":"attic"})")->services.empty());
}

TEST(Description, RefusesWhatIsNone) {
  std::string deep(1'000, '[');
  std::string long_name(library::kInterfaceNameMax + 1, 'a');
  for (const std::string& text :
       {std::string(), std::string("[]"), deep, std::string(R"({"name":7})"),
        std::string(R"({"name":"a\u001b[2J"})"), std::string(R"({"name":"a","services":{}})"),
        std::string(R"({"name":"a","left":{"cpu":-1}})"), std::string(R"({"name":"a","left":[]})"),
        std::string(R"({"name":"a","services":["a:a/a"]})"),
        std::string(R"({"name":"a","services":[{"interface":"a:a/a","module":"00"}]})"),
        R"({"name":"a","services":[{"interface":")" + long_name + R"(","module":""}]})",
        std::string(R"({"name":"a","libraries":[{"name":"a","version":"1","module":"zz"}]})")}) {
    EXPECT_FALSE(read_description(text)) << text;
  }
}

}  // namespace
}  // namespace weft::node::client
