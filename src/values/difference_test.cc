// Two types of one function are alike, or the first place where they are not is named.
#include "values/difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft {
namespace {

std::string between(std::string_view wanted, std::string_view offered) {
  auto a = parse_signature(wanted);
  auto b = parse_signature(offered);
  EXPECT_TRUE(a && b);
  return difference(*a, *b).value_or("alike");
}

TEST(Difference, OfTypesThatAreAlike) {
  std::string_view text =
      "func(p: record{x: s32, tags: list<string>}) -> result<variant{a, b(u8)}, string>";
  EXPECT_EQ(between(text, text), "alike");
  EXPECT_EQ(between("func(b: borrow<bucket>)", "func(b: borrow<store>)"), "alike");
}

TEST(Difference, NamesThePlace) {
  EXPECT_EQ(between("func(p: record{x: s32, y: s32})", "func(p: record{x: s32, y: s64})"),
            "parameter p, field y: wanted s32, offered s64");
  EXPECT_EQ(between("func(p: record{x: s32, y: s32})", "func(p: record{x: s32})"),
            "parameter p, field y: not offered");
  EXPECT_EQ(between("func(p: record{x: s32})", "func(p: record{x: s32, y: s32})"),
            "parameter p, field y: offered, and not wanted");
  EXPECT_EQ(between("func(p: list<option<u8>>)", "func(p: list<option<u16>>)"),
            "parameter p, element, element: wanted u8, offered u16");
  EXPECT_EQ(between("func() -> result<u8, variant{a, b}>", "func() -> result<u8, variant{a, c}>"),
            "result, error, case b: offered is c");
  EXPECT_EQ(between("func() -> result<u8>", "func() -> u8"),
            "result: wanted result<u8>, offered u8");
  EXPECT_EQ(between("func(a: u8, b: u8)", "func(a: u8)"), "parameter b: not offered");
  EXPECT_EQ(between("func(a: u8)", "func(b: u8)"), "parameter a: offered is b");
  EXPECT_EQ(between("func()", "async func()"), "wanted func, offered async func");
  EXPECT_EQ(between("func() -> u8", "func()"), "result: wanted u8, offered nothing");
}

}  // namespace
}  // namespace weft
