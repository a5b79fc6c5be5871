// Shows every way in which WAVE writes a value, what is printed, and what is said of text that is
// not of the type: what was expected, what was found, and where.

#include "values/wave.h"

#include <gmock/gmock.h>

#include "values/testing.h"

namespace weft::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Wave, ReadsScalars) {
  EXPECT_EQ(wave("bool", " true "), "01");
  EXPECT_EQ(wave("u8", "255"), "ff");
  EXPECT_EQ(wave("s8", "-128"), "80");
  EXPECT_EQ(wave("u32", "300"), "ac02");
  EXPECT_EQ(wave("s64", "-9223372036854775808"), "8080808080808080807f");
  EXPECT_EQ(wave("f32", "1.5"), "0000c03f");
  EXPECT_EQ(wave("f32", "-2"), "000000c0");
  EXPECT_EQ(wave("f64", "1e300"), "9c7500883ce4377e");
  EXPECT_EQ(wave("f64", "-inf"), "000000000000f0ff");
  EXPECT_EQ(wave("f32", "nan"), "0000c07f");
  EXPECT_EQ(wave("char", "'x'"), "78");
  EXPECT_EQ(wave("char", "'\\''"), "27");
  EXPECT_EQ(wave("char", "'\xe2\x82\xac'"), "e282ac");
  EXPECT_EQ(wave("char", "'\\u{20ac}'"), "e282ac");
  EXPECT_EQ(wave("string", R"("a\t\"b\"\u{1f600}")"), "096109226222f09f9880");
}

TEST(Wave, ReadsMultilineStrings) {
  auto text = [](std::string_view source) {
    Type type = type_of("string");
    auto bytes = value_from_wave(type, source);
    return bytes ? std::string(as_text(*bytes).substr(1)) : bytes.error().message();
  };
  EXPECT_EQ(text("\"\"\"\nA single line\n\"\"\""), "A single line");
  EXPECT_EQ(text("\"\"\"\r\n    one \\u{21}\r\n      two\r\n    \"\"\""), "one !\n  two");
  EXPECT_EQ(text("\"\"\"\n\"\"\\\"\n\n\"\"\""), "\"\"\"\n");
  EXPECT_THAT(text("\"\"\"\n  a\n b\n  \"\"\""), HasSubstr("fewer blanks"));
  EXPECT_THAT(text("\"\"\"a\"\"\""), HasSubstr("a line break after"));
  EXPECT_THAT(text("\"\"\"\na\"\"\""), HasSubstr("no end on a line of its own"));
}

TEST(Wave, ReadsCompounds) {
  EXPECT_EQ(wave("list<u8>", "[1, 2, 3,]"), "03010203");
  EXPECT_EQ(wave("list<u8>", "[ // none\n]"), "00");
  EXPECT_EQ(wave("list<u16, 2>", "[1, 300]"), "01ac02");
  EXPECT_EQ(wave("map<string, u8>", "[(\"a\", 1)]"), "01016101");
  EXPECT_EQ(wave("tuple<u8, string>", "(7, \"x\")"), "070178");
  EXPECT_EQ(wave("flags{a, b, c}", "{c, %a}"), "05");
  EXPECT_EQ(wave("flags{a, b, c}", "{}"), "00");
  EXPECT_EQ(wave("enum{red, green}", "green"), "01");
  EXPECT_EQ(wave("variant{a, b(list<u8>)}", "b([1])"), "010101");
  EXPECT_EQ(wave("variant{a, err(string)}", "%err(\"x\")"), "010178");
  EXPECT_EQ(wave("variant{a, err(string)}", "%a"), "00");
}

TEST(Wave, ReadsRecordsInAnyOrder) {
  std::string_view record = "record{name: string, size: u8, note: option<string>}";
  EXPECT_EQ(wave(record, R"({size: 2, note: some("y"), name: "x"})"),
            "01780201"
            "0179");
  EXPECT_EQ(wave(record, R"({%name: "x", size: 2,})"), "01780200");
  EXPECT_EQ(wave("record{a: option<u8>}", "{:}"), "00");
  EXPECT_EQ(wave("record{a: option<u8>}", "{}"), "00");
}

// What an option or a result holds stands for itself, unless it could be taken for another one.
TEST(Wave, ReadsFlatOptionsAndResults) {
  EXPECT_EQ(wave("option<u8>", "5"), "0105");
  EXPECT_EQ(wave("option<u8>", "some(5)"), "0105");
  EXPECT_EQ(wave("option<u8>", "none"), "00");
  EXPECT_EQ(wave("option<option<u8>>", "some(none)"), "0100");
  EXPECT_EQ(wave("option<enum{none, a}>", "%none"), "0100");
  EXPECT_EQ(wave("option<f64>", "inf"), "01000000000000f07f");
  EXPECT_EQ(wave("result<u8, string>", "5"), "0005");
  EXPECT_EQ(wave("result<u8, string>", "ok(5)"), "0005");
  EXPECT_EQ(wave("result<u8, string>", "err(\"x\")"), "010178");
  EXPECT_EQ(wave("result", "ok"), "00");
  EXPECT_EQ(wave("result<_, string>", "ok"), "00");
  EXPECT_THAT(wave("option<option<u8>>", "5"), StartsWith("expected option<option<u8>>, found 5"));
  EXPECT_THAT(wave("result<_, u8>", "5"), StartsWith("expected result<_, u8>, found 5"));
}

TEST(Wave, PrintsThePlainForm) {
  auto printed = [](std::string_view type, std::string_view text) {
    Type parsed = type_of(type);
    auto bytes = value_from_wave(parsed, text);
    return bytes ? shown(value_to_wave(parsed, *bytes)) : bytes.error().message();
  };
  EXPECT_EQ(printed("record{b: u8, a: option<string>}", "{a: \"x\", b: 1}"),
            "{b: 1, a: some(\"x\")}");
  EXPECT_EQ(printed("result<u8>", "7"), "ok(7)");
  EXPECT_EQ(printed("result<u8>", "err"), "err");
  EXPECT_EQ(printed("enum{ok, a}", "%ok"), "%ok");
  EXPECT_EQ(printed("variant{none(u8)}", "none(1)"), "%none(1)");
  EXPECT_EQ(printed("f64", "3"), "3.0");
  EXPECT_EQ(printed("f64", "-0.0"), "-0.0");
  EXPECT_EQ(printed("f32", "0.1"), "0.1");
  EXPECT_EQ(printed("char", "'\"'"), "'\"'");
  EXPECT_EQ(printed("string", R"("\u{1}'\"\\\n")"), R"("\u{1}'\"\\\n")");
  EXPECT_EQ(printed("map<char, bool>", "[('a', true)]"), "[('a', true)]");
  EXPECT_EQ(printed("flags{x, y}", "{y, x}"), "{x, y}");
}

TEST(Wave, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(wave("list<u8>", "[1, 300]"),
            "expected u8 (0 to 255), found 300 at character 5\n  [1, 300]\n      ^");
  EXPECT_THAT(wave("bool", "yes"), StartsWith("expected bool (true or false), found yes"));
  EXPECT_THAT(wave("string", "x"), StartsWith("expected string, in double quotes, found x"));
  EXPECT_THAT(wave("string", "\"x"), StartsWith("this string has no end at character 1"));
  EXPECT_THAT(wave("u8", ""), StartsWith("expected u8 (0 to 255), found the end"));
  EXPECT_THAT(wave("u8", "1 2"), StartsWith("expected the end, found 2 at character 3"));
  EXPECT_THAT(wave("u8", "012"), StartsWith("expected u8"));
  EXPECT_THAT(wave("f32", "1e999"), StartsWith("expected f32, found 1e999"));
  EXPECT_THAT(wave("enum{red, green}", "gren"), HasSubstr("did you mean green?"));
  EXPECT_THAT(wave("record{size: u8}", "{sise: 1}"), HasSubstr("did you mean size?"));
  EXPECT_THAT(wave("record{a: u8, b: u8}", "{a: 1}"),
              HasSubstr("the field b of record{a: u8, b: u8} is missing at character 6"));
  EXPECT_THAT(wave("record{a: u8}", "{a: 1, a: 2}"), HasSubstr("a is there twice"));
  EXPECT_THAT(wave("tuple<u8, u8>", "(1)"), HasSubstr("found 1 of 2 values"));
  EXPECT_THAT(wave("tuple<u8, u8>", "(1, 2, 3)"), HasSubstr("after the last of tuple<u8, u8>"));
  EXPECT_THAT(wave("list<u8, 3>", "[1]"), HasSubstr("expected list<u8, 3>, found 1 elements"));
  EXPECT_THAT(wave("list<u8>", "[1 2]"), HasSubstr("expected \",\" or \"]\", found 2"));
  EXPECT_THAT(wave("char", "'ab'"), HasSubstr("expected char"));
  EXPECT_THAT(wave("char", "'\\u{d800}'"), HasSubstr("expected one of"));
  EXPECT_THAT(wave("variant{a(u8)}", "a"), HasSubstr("expected (u8), found the end"));
  EXPECT_EQ(wave("string", "\"\xff\""), "the text is not UTF-8");
}

// The mark stands below the place, in characters, in the line of the place, whatever its length.
TEST(Wave, MarksThePlace) {
  EXPECT_THAT(wave("tuple<string, u8>", "(\"\xc3\xa9\",\n \"x\")"),
              AllOf(HasSubstr("at character 8"), HasSubstr("\n   \"x\")\n   ^")));
  std::string long_text = "[";
  for (int i = 0; i < 100; ++i) long_text += "1, ";
  std::string told = wave("list<u8>", long_text + "x, " + long_text.substr(1) + "]");
  EXPECT_THAT(told, AllOf(HasSubstr("  ...1, 1, "), HasSubstr(", ...\n")));
  std::size_t mark = told.rfind('^') - told.rfind('\n');
  std::size_t found = told.find("x, 1") - told.find('\n');
  EXPECT_EQ(mark, found);
}

TEST(WaveArguments, AreAFunctionsParameters) {
  Signature signature = signature_of("func(name: string, size: u8, a: option<u8>, b: option<u8>)");
  auto read = [&](std::string_view text) {
    return shown(arguments_from_wave(signature, text, text.find('(')));
  };
  EXPECT_EQ(read("f(\"x\", 1, 2, none)"),
            "0178010102"
            "00");
  EXPECT_EQ(read("f(\"x\", 1)"),
            "01780100"
            "00");
  EXPECT_EQ(read("f( \"x\", 1, )"),
            "01780100"
            "00");
  EXPECT_EQ(shown(arguments_from_wave(signature_of("func()"), "()")), "");
  EXPECT_THAT(read("f(\"x\", \"1\")"),
              StartsWith("argument \"size\": expected u8 (0 to 255), found \"1\" at character 8\n"
                         "  f(\"x\", \"1\")\n         ^"));
  EXPECT_THAT(read("f(\"x\")"), HasSubstr("argument \"size\" is missing: expected u8 (0 to 255)"));
  EXPECT_THAT(read("f(\"x\", 1, none, none, 5)"), HasSubstr("expected \")\" after 4 arguments"));
  EXPECT_THAT(read("f(\"x\", 1) 2"), HasSubstr("expected the end, found 2"));
  EXPECT_THAT(read("f(\"x\", 1"), HasSubstr("expected \",\" or \")\", found the end"));
}

// Little text does not make for much memory: what is left out is counted too.
TEST(Wave, IsBoundedWhereLittleStandsForMuch) {
  std::string type = "record{";
  for (int i = 0; i < 20'000; ++i) type += fmt::format("{}f{}: option<u8>", i == 0 ? "" : ", ", i);
  std::string text = "[";
  for (int i = 0; i < 10; ++i) text += "{:},";
  auto bytes = value_from_wave(type_of("list<" + type + "}>"), text + "]");
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->size(), 1 + 10 * 20'000);
}

}  // namespace
}  // namespace weft::testing
