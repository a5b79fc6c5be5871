// Shows which JSON is taken for a value beside that of the golden vectors, and what is said of any
// other.

#include "values/json.h"

#include <gmock/gmock.h>

#include "values/testing.h"

namespace weft::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Json, ReadsStringsWithEscapes) {
  EXPECT_EQ(json("string", R"("\"\\\/\b\f\n\r\t")"), "08225c2f080c0a0d09");
  EXPECT_EQ(json("string", R"("\u20ac\ud83d\ude00")"), "07e282acf09f9880");
  EXPECT_EQ(json("char", R"("\u00e9")"), "c3a9");
  for (std::string_view text : {R"("\ud83d")", R"("\ude00")", R"("\ud83dx")", R"("\u12")",
                                R"("\x")", "\"\n\"", "\"x", R"("\)"}) {
    EXPECT_FALSE(value_from_json(type_of("string"), text)) << text;
  }
}

TEST(Json, LeavesOptionsOut) {
  EXPECT_EQ(json("record{a: u8, b: option<u8>}", R"({"a": 1})"), "0100");
  EXPECT_EQ(json("record{a: u8, b: option<u8>}", R"( { "b" : {"some" : 2} , "a":1 } )"), "010102");
}

TEST(Json, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(json("list<u8>", "[1, 300]"),
            "expected u8 (0 to 255), found 300 at character 5\n  [1, 300]\n      ^");
  EXPECT_THAT(json("u8", "1.0"), StartsWith("expected u8"));
  EXPECT_THAT(json("u8", "\"1\""), StartsWith("expected u8"));
  EXPECT_THAT(json("f64", "\"one\""), StartsWith("expected f64, found \"one\""));
  EXPECT_THAT(json("bool", "1"), StartsWith("expected true or false, found 1"));
  EXPECT_THAT(json("string", "1"), StartsWith("expected string as a JSON string, found 1"));
  EXPECT_THAT(json("char", "\"ab\""), StartsWith("expected a string of one"));
  EXPECT_THAT(json("option<u8>", "1"), StartsWith("expected null or {\"some\": u8}, found 1"));
  EXPECT_THAT(json("result<_, u8>", "{\"okay\": 1}"),
              StartsWith("expected {\"ok\": null} or {\"err\": u8}"));
  EXPECT_THAT(json("result", "{\"ok\": 1}"), StartsWith("expected null, found 1"));
  EXPECT_THAT(json("variant{a, b(u8)}", "\"b\""), StartsWith("expected {\"b\": u8}"));
  EXPECT_THAT(json("variant{a, b(u8)}", "{\"a\": null}"),
              StartsWith("expected \"a\": it has no value"));
  EXPECT_THAT(json("variant{a, b(u8)}", "{\"b\": 1, \"a\": 2}"), StartsWith("expected \"}\""));
  EXPECT_THAT(json("enum{red}", "\"rad\""), HasSubstr("did you mean red?"));
  EXPECT_THAT(json("record{a: u8}", "{\"a\": 1, \"a\": 2}"), HasSubstr("a is there twice"));
  EXPECT_THAT(json("record{a: u8}", "[1]"), StartsWith("expected record{a: u8} as JSON"));
  EXPECT_THAT(json("list<u8>", "[1, ]"), StartsWith("expected more after the \",\", found ]"));
  EXPECT_THAT(json("list<u8>", "[1] 2"), StartsWith("expected the end, found 2"));
}

TEST(Json, PrintsWhatJsonKnows) {
  auto printed = [](std::string_view type, Bytes bytes) {
    return shown(value_to_json(type_of(type), bytes));
  };
  EXPECT_EQ(printed("f32", {0, 0, 0x80, 0x7f}), "\"inf\"");
  EXPECT_EQ(printed("list<char>", {2, '"', 1}), R"(["\"", "\u0001"])");
  EXPECT_EQ(printed("map<u8, string>", {1, 2, 1, 'x'}), R"([[2, "x"]])");
  EXPECT_EQ(printed("flags{a, b}", {2}), R"(["b"])");
  EXPECT_EQ(printed("result<_, u8>", {0}), R"({"ok": null})");
}

TEST(JsonArguments, AreAnArray) {
  Signature signature = signature_of("func(name: string, size: option<u8>)");
  EXPECT_EQ(shown(arguments_from_json(signature, R"(["x", {"some": 1}])")), "01780101");
  EXPECT_EQ(shown(arguments_from_json(signature, R"( ["x"] )")), "017800");
  EXPECT_THAT(shown(arguments_from_json(signature, "[1]")), StartsWith("argument \"name\": "));
  EXPECT_THAT(shown(arguments_from_json(signature, "{}")), StartsWith("expected \"[\", found {"));
}

}  // namespace
}  // namespace weft::testing
