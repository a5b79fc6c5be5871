// Shows what a catalogue takes and refuses, that it is the same after a restart, and what a beacon
// and the answer to describe have of it.
#include "node/library/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/read_file.h"
#include "capabilities/test_folder.h"
#include "node/library/names.h"
#include "node/object/beacon.h"

namespace weft::node::library {
namespace {

using testing::HasSubstr;

Library some_library(std::string name, std::string version, std::string_view content = "bytes") {
  return {.name = std::move(name),
          .version = std::move(version),
          .module = Hash::of(as_bytes(content)),
          .size = content.size(),
          .functions = {{"acme:math/add@1.0.0#sum", "func(a: s32, b: s32) -> s32"}},
          .file = "/lib/\"\xff\n.wasm"};
}

class CatalogueTest : public testing::Test {
 protected:
  CatalogueTest() { open(); }
  void open() { catalogue = *Catalogue::open(file); }

  TestFolder folder;
  std::filesystem::path file = folder.path() / "catalogue.json";
  std::unique_ptr<Catalogue> catalogue;
};

TEST_F(CatalogueTest, HasSeveralVersionsOfANameAndKeepsThem) {
  EXPECT_EQ(*catalogue->add(some_library("math", "1.10.0", "c")), Added::kNew);
  EXPECT_EQ(*catalogue->add(some_library("math", "1.9.0", "b")), Added::kNew);
  EXPECT_EQ(*catalogue->add(some_library("math", "1.10.0-rc.1", "a")), Added::kNew);
  EXPECT_EQ(*catalogue->add(some_library("acme:text", "1.0.0")), Added::kNew);
  EXPECT_EQ(*catalogue->add(some_library("math", "1.9.0", "b")), Added::kSame);
  EXPECT_EQ(catalogue->find("math", {})->version, "1.10.0");
  EXPECT_EQ(catalogue->find("math", "1.9.0")->module, Hash::of(as_bytes("b")));
  EXPECT_EQ(catalogue->exporting("acme:math/add@1.0.0#sum").size(), 4u);
  EXPECT_TRUE(catalogue->exporting("sum").empty());
  auto before = catalogue->list();
  Hash digest = catalogue->digest();
  open();
  EXPECT_EQ(catalogue->list(), before);
  EXPECT_EQ(catalogue->digest(), digest);
  std::vector<std::string> order;
  for (const Library& each : before) order.push_back(each.name + " " + each.version);
  EXPECT_EQ(order, (std::vector<std::string>{"acme:text 1.0.0", "math 1.9.0", "math 1.10.0-rc.1",
                                             "math 1.10.0"}));
}

TEST_F(CatalogueTest, SaysWhatIsInTheWay) {
  ASSERT_TRUE(catalogue->add(some_library("math", "1.0.0")));
  auto conflict = catalogue->add(some_library("math", "1.0.0", "other"));
  EXPECT_EQ(conflict.error().code(), Errc::kConflict);
  EXPECT_THAT(conflict.error().message(), HasSubstr("remove it first"));
  EXPECT_THAT(catalogue->find("mth", {}).error().message(), HasSubstr("is it \"math\"?"));
  EXPECT_THAT(catalogue->find("math", "2.0.0").error().message(), HasSubstr("there is 1.0.0"));
  ASSERT_TRUE(catalogue->add(some_library("math", "1.1.0", "other")));
  auto several = catalogue->remove("math", {});
  EXPECT_EQ(several.error().code(), Errc::kConflict);
  EXPECT_THAT(several.error().message(), HasSubstr("math@1.0.0, math@1.1.0"));
  EXPECT_EQ(catalogue->remove("math", "1.0.0")->version, "1.0.0");
  EXPECT_EQ(catalogue->remove("math", {})->version, "1.1.0");
  EXPECT_EQ(catalogue->remove("math", {}).error().code(), Errc::kNotFound);
  open();
  EXPECT_TRUE(catalogue->list().empty());
}

TEST_F(CatalogueTest, RefusesNamesThatAreNone) {
  for (std::string name :
       {"", "../math", "a/b", "/etc", "a..b", ".a", "a b", "a\n", "-a", "a.", "a\"b", "\xc3\xa4"}) {
    EXPECT_EQ(catalogue->add(some_library(name, "1.0.0")).error().code(), Errc::kInvalid) << name;
  }
  for (std::string version : {"", "v1", "../1", "1/2", "1 2", "1.", "1..2", "1\n"}) {
    EXPECT_EQ(catalogue->add(some_library("math", version)).error().code(), Errc::kInvalid)
        << version;
  }
  EXPECT_FALSE(catalogue->add(some_library(std::string(kLibraryNameMax + 1, 'a'), "1.0.0")));
  Library library = some_library("math", "1.0.0");
  library.functions.push_back({"a\nb", "func()"});
  EXPECT_EQ(catalogue->add(library).error().code(), Errc::kInvalid);
  library.functions.assign(kLibraryFunctionsMax + 1, {"sum", "func()"});
  EXPECT_EQ(catalogue->add(library).error().code(), Errc::kLimit);
  for (std::string name : {"", "a b", "../a", "a\nb", "a\"b"}) {
    EXPECT_FALSE(catalogue->set_services({{.interface = name}})) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(CatalogueTest, TellsOthersEverythingButItsFiles) {
  ASSERT_TRUE(catalogue->add(some_library("math", "1.0.0")));
  Service b{.interface = "b:b/b@1.0.0", .functions = {{"b:b/b@1.0.0#f", "func()"}}};
  ASSERT_TRUE(catalogue->set_services({b, {.interface = "a:a/a"}, b}));
  std::string none = Hash().text();
  std::string services = "\"services\":[{\"interface\":\"a:a/a\",\"module\":\"" + none +
                         "\",\"functions\":[]},{\"interface\":\"b:b/b@1.0.0\",\"module\":\"" +
                         none +
                         "\",\"functions\":[{\"name\":\"b:b/b@1.0.0#f\",\"type\":\"func()\"}]}]}";
  std::string module = Hash::of(as_bytes("bytes")).text();
  EXPECT_EQ(catalogue->json(),
            "{\"libraries\":[{\"name\":\"math\",\"version\":\"1.0.0\",\"module\":\"" + module +
                "\",\"size\":5,\"functions\":[{\"name\":\"acme:math/add@1.0.0#sum\","
                "\"type\":\"func(a: s32, b: s32) -> s32\"}]}]," +
                services);
  EXPECT_EQ(catalogue->json([](const Library&) { return false; }), "{\"libraries\":[]," + services);
}

TEST_F(CatalogueTest, KnowsWhichModuleServesAFunction) {
  Hash one = Hash::of(as_bytes("one"));
  Hash two = Hash::of(as_bytes("two"));
  ASSERT_TRUE(catalogue->set_services({{.interface = "a:a/a@1.9.0", .module = one},
                                       {.interface = "a:a/a@1.10.0", .module = two},
                                       {.interface = "a:a/b", .module = one}}));
  EXPECT_EQ(catalogue->serving("a:a/a@1.9.0#f"), one);
  EXPECT_EQ(catalogue->serving("a:a/a#f"), two);
  EXPECT_EQ(catalogue->serving("a:a/b#f"), one);
  EXPECT_EQ(catalogue->serving("a:a/b@1.0.0#f"), std::nullopt);
  EXPECT_EQ(catalogue->serving("f"), std::nullopt);
  // One interface is one module's, and what was served goes on.
  auto refused = catalogue->set_services(
      {{.interface = "a:a/c", .module = one}, {.interface = "a:a/c", .module = two}});
  EXPECT_EQ(refused.error().code(), Errc::kConflict);
  EXPECT_EQ(catalogue->services().size(), 3u);
}

TEST_F(CatalogueTest, HasAnotherDigestWhenAnythingIsOther) {
  std::vector<Hash> seen{catalogue->digest()};
  auto is_new = [&] {
    Hash now = catalogue->digest();
    bool found = std::ranges::find(seen, now) != seen.end();
    seen.push_back(now);
    return !found;
  };
  ASSERT_TRUE(catalogue->add(some_library("math", "1.0.0")));
  EXPECT_TRUE(is_new());
  Library library = some_library("math", "1.0.0");
  library.functions[0].signature = "func()";
  ASSERT_TRUE(catalogue->add(library));
  EXPECT_TRUE(is_new());
  ASSERT_TRUE(catalogue->set_services({{.interface = "a:a/a"}}));
  EXPECT_TRUE(is_new());
  library.file = "elsewhere";
  ASSERT_TRUE(catalogue->add(library));
  EXPECT_FALSE(is_new());
}

TEST_F(CatalogueTest, OffersAsManyAsABeaconHasRoomFor) {
  EXPECT_EQ(catalogue->offers(), "");
  ASSERT_TRUE(catalogue->add(some_library("math", "1.0.0")));
  ASSERT_TRUE(catalogue->add(some_library("math", "2.0.0", "other")));
  ASSERT_TRUE(catalogue->set_services({{.interface = "a:a/a"}}));
  EXPECT_EQ(catalogue->offers(), "a:a/a\nmath@2.0.0");
  for (int i = 100; i < 200; ++i) {
    ASSERT_TRUE(catalogue->add(some_library("library" + std::to_string(i), "1.0.0")));
  }
  std::string offers = catalogue->offers();
  EXPECT_LE(offers.size(), kBeaconOffersMax);
  EXPECT_GT(offers.size(), kBeaconOffersMax - 20);
  auto key = SigningKey::random();
  Beacon beacon{.name = "node", .port = 1, .offers = offers};
  Bytes bytes = sign(beacon, key);
  EXPECT_EQ(*read_beacon(*SignedView::open(bytes, ObjectKind::kBeacon)), beacon);
}

TEST_F(CatalogueTest, SaysWhatIsWrongWithItsFile) {
  struct Case {
    std::string_view text;
    std::string_view says;
  };
  std::string one = R"({"name":"a","version":"1.0.0","module":")" + std::string(64, '0') +
                    R"(","size":1,"file":"","functions":[]})";
  std::string twice = R"({"format":1,"libraries":[)" + one + "," + one + "]}";
  for (const Case& each : {
           Case{"", "no JSON"},
           Case{"[]", "is no object"},
           Case{R"({"format":2,"libraries":[]})", "format 2"},
           Case{R"({"format":1,"librarys":[]})", "is it \"libraries\"?"},
           Case{R"({"format":1,"libraries":[{"name":"a"}]})", "library 1 has no \"version\""},
           Case{R"({"format":1,"libraries":{}})", "no list"},
           Case{twice, "a@1.0.0 stands there twice"},
           Case{R"([[[[[[[[[[]]]]]]]]]])", "no JSON"},
       }) {
    std::ofstream(file) << each.text;
    auto opened = Catalogue::open(file);
    ASSERT_FALSE(opened) << each.text;
    EXPECT_THAT(opened.error().message(), HasSubstr(each.says));
    EXPECT_THAT(opened.error().message(), HasSubstr(file.string()));
  }
}

TEST_F(CatalogueTest, ChangesNothingWhereItCannotBeWritten) {
  ASSERT_TRUE(catalogue->add(some_library("math", "1.0.0")));
  std::filesystem::create_directory(file.string() + ".new");
  EXPECT_FALSE(catalogue->add(some_library("math", "2.0.0", "other")));
  EXPECT_FALSE(catalogue->remove("math", {}));
  EXPECT_EQ(catalogue->list().size(), 1u);
  open();
  EXPECT_EQ(catalogue->list().size(), 1u);
}

TEST(Version, AreInTheOrderOfSemanticVersions) {
  std::vector<std::string_view> order{"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                      "1.0.0-beta",  "1.0.0-beta.2",  "1.0.0-beta.11",
                                      "1.0.0-rc.1",  "1.0.0",         "1.0.1",
                                      "1.2.0",       "1.10.0",        "99999999999999999999.0.0"};
  for (std::size_t a = 0; a < order.size(); ++a) {
    for (std::size_t b = 0; b < order.size(); ++b) {
      EXPECT_EQ(version_before(order[a], order[b]), a < b) << order[a] << " " << order[b];
    }
  }
  EXPECT_FALSE(version_before("1.0.0+a", "1.0.0+b"));
}

}  // namespace
}  // namespace weft::node::library
