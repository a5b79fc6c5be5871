// Shows that the canonical text of types and functions is read and written back, and that any other
// text is refused without harm.

#include "values/type.h"

#include <gmock/gmock.h>

#include "values/testing.h"

namespace weft::testing {
namespace {

using ::testing::HasSubstr;

TEST(TypeText, ComesBackAsItWas) {
  for (std::string_view text :
       {"bool", "list<u8>", "list<string, 4>", "map<string, u32>", "tuple<u8>", "result",
        "result<u32>", "result<_, string>", "result<option<list<u8>>, enum{x, y}>", "stream",
        "future<string>", "own<bucket>", "error-context",
        "record{name: string, dims: list<u32>, big: option<u64>}",
        "variant{none, circle(f64), polygon(list<record{x: s32, y: s64}>)}", "flags{a, b}"}) {
    EXPECT_EQ(type_of(text).text(), text);
  }
}

TEST(TypeText, IsCutWhereItIsLong) {
  std::string text = "enum{first";
  for (int i = 0; i < 200; ++i) text += fmt::format(", case-{}", i);
  Type type = type_of(text + "}");
  EXPECT_EQ(type.text(), text.substr(0, 200) + "...");
  EXPECT_EQ(type.text(1 << 20), text + "}");
}

TEST(SignatureText, HasParametersAndAResult) {
  Signature signature =
      signature_of("async func(a: list<u8>, r: record{name: string}) -> result<_, enum{x, y}>");
  EXPECT_TRUE(signature.is_async);
  ASSERT_EQ(signature.parameters.size(), 2u);
  EXPECT_EQ(signature.parameters[1].name, "r");
  EXPECT_EQ(signature.parameters[1].type.text(), "record{name: string}");
  EXPECT_EQ(signature.result.text(), "result<_, enum{x, y}>");
  Signature nothing = signature_of("func()");
  EXPECT_FALSE(nothing.is_async);
  EXPECT_TRUE(nothing.parameters.empty());
  EXPECT_EQ(nothing.result.kind, Type::Kind::kNothing);
}

TEST(TypeText, IsRefusedWhenItIsNone) {
  for (std::string_view text : {"",
                                "u7",
                                "list",
                                "list<",
                                "list<u8",
                                "list<u8,>",
                                "list<u8, 0>",
                                "list<u8, 99999999999>",
                                "tuple<>",
                                "option<u8, u8>",
                                "map<u8>",
                                "result<u8, u8, u8>",
                                "record{}",
                                "record{a}",
                                "record{a: u8, a: u8}",
                                "enum{a, }",
                                "variant{a()}",
                                "flags{",
                                "u8 u8",
                                "_",
                                "own<",
                                "option<_>",
                                "\xff"}) {
    EXPECT_FALSE(parse_type(text)) << text;
  }
  for (std::string_view text : {"", "func", "func(", "func(a)", "func(a:)", "func() ->", "u8"}) {
    EXPECT_FALSE(parse_signature(text)) << text;
  }
}

// Types are as deep as the engine takes them, and no deeper: the stack is safe.
TEST(TypeText, HasABoundedDepth) {
  auto nested = [](std::size_t depth) {
    std::string text = "u8";
    for (std::size_t i = 1; i < depth; ++i) text = "option<" + text + ">";
    return text;
  };
  EXPECT_TRUE(parse_type(nested(kTypeDepthMax)));
  auto deeper = parse_type(nested(kTypeDepthMax + 1));
  ASSERT_FALSE(deeper);
  EXPECT_THAT(deeper.error().message(), HasSubstr("deeper than 100"));
  std::string open;
  for (int i = 0; i < 100'000; ++i) open += "list<";
  EXPECT_FALSE(parse_type(open));
}

TEST(Handles, AreFoundWhereverTheyAre) {
  EXPECT_EQ(find_handle(type_of("list<record{a: u8, b: option<borrow<cart>>}>")), "borrow<cart>");
  EXPECT_EQ(find_handle(type_of("result<_, stream<u8>>")), "stream<u8>");
  EXPECT_EQ(find_handle(type_of("result<list<string>, variant{a, b(u8)}>")), std::nullopt);
}

}  // namespace
}  // namespace weft::testing
