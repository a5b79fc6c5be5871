// Shows how keys and items stand in the table: in the order of their bytes, and read back.
#include "capabilities/keyvalue/drivers/dynamodb/item_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace weft::keyvalue::dynamodb {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

TEST(DynamodbKeys, AreStoredInTheirOrderAndReadBack) {
  using namespace std::string_literals;
  std::vector<std::string> keys{""s,         "\0"s,   "\0\0"s,   "\0\0\x01"s, "\0\x01"s,
                                "\0\x01\0"s, "\x01"s, "\x01\0"s, "a"s,        "a\0"s,
                                "a\0b"s,     "b"s,    "\xff"s};
  std::string before;
  for (const std::string& key : keys) {
    auto stored = stored_key(key);
    ASSERT_TRUE(stored.has_value());
    EXPECT_FALSE(stored->empty());
    EXPECT_LT(before, *stored);
    EXPECT_EQ(guest_key(*stored), key);
    before = *stored;
  }
  // Nothing changes where nothing has to.
  EXPECT_EQ(*stored_key("a"), "a");
  EXPECT_EQ(*stored_key("\0a"s), "\0a"s);
}

TEST(DynamodbKeys, OneHasNoRoom) {
  std::string most(kKeyBytesMax, '\0');
  EXPECT_EQ(stored_key(most).error().code(), Errc::kInvalid);
  auto next = stored_key(most.substr(1));
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->size(), kKeyBytesMax);
  EXPECT_EQ(guest_key(*next), most.substr(1));
  // What is behind it is behind the one before as well.
  EXPECT_EQ(stored_cursor(most), most);
  EXPECT_EQ(stored_cursor(""), std::string(1, '\0'));
  EXPECT_EQ(stored_cursor("k"), "k");
}

TEST(DynamodbKeys, BucketsAreApartWhateverTheirNames) {
  EXPECT_EQ(partition("weft", {"app", "b"}), "weft/app/b");
  EXPECT_EQ(partition("weft", {"a/b", "\""}), "weft/a%2Fb/%22");
  EXPECT_NE(partition("p", {"a", "b/c"}), partition("p", {"a/b", "c"}));
}

TEST(DynamodbItems, AreReadBack) {
  std::string text = "{";
  append_item(text, "weft/app/b", "k", as_bytes("value"), 7);
  json::object item = json::parse(text + "}").as_object();
  EXPECT_EQ(item.at("bucket").at("S").as_string(), "weft/app/b");
  EXPECT_EQ(*key_in(item), "k");
  auto found = snapshot_in(item);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(as_text(*found->value), "value");
  EXPECT_EQ(found->version, 7U);
}

TEST(DynamodbItems, OfOthersAreReadOrRefusedInWords) {
  auto read = [](std::string_view text) { return snapshot_in(json::parse(text).as_object()); };
  auto plain = read(R"({"value":{"B":"bWlsaw=="}})");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(as_text(*plain->value), "milk");
  EXPECT_EQ(plain->version, 0U);
  EXPECT_EQ(*read(R"({"version":{"N":"1"}})")->value, Bytes());
  EXPECT_THAT(read(R"({"value":{"S":"milk"}})").error().message(), HasSubstr("`value`"));
  EXPECT_THAT(read(R"({"version":{"N":"1.5"}})").error().message(), HasSubstr("`version`"));
  EXPECT_THAT(read(R"({"version":{"S":"1"}})").error().message(), HasSubstr("type N"));
  EXPECT_FALSE(read(R"({"value":{"B":"?"}})").has_value());
}

}  // namespace
}  // namespace weft::keyvalue::dynamodb
