// Shows both sides of a call as text: what is plain reads back to the same bytes, handles are
// numbers, and bytes that are no value of the type are told.

#include "values/call_values.h"

#include <gtest/gtest.h>

#include "values/wave.h"

namespace weft {
namespace {

TEST(CallValues, ArgumentsReadBack) {
  for (const char* text : {"(1, \"two\", some([3, 4]))", "(-7, \"\", none)"}) {
    Signature signature = *parse_signature("func(a: s32, b: string, c: option<list<u8>>)");
    Bytes bytes = *arguments_from_wave(signature, text);
    EXPECT_EQ(arguments_to_text(signature, bytes), text);
  }
  Signature none = *parse_signature("func()");
  EXPECT_EQ(arguments_to_text(none, {}), "()");
  EXPECT_EQ(arguments_from_wave(none, "()")->size(), 0U);
}

TEST(CallValues, AResultIsEmptyWhereThereIsNone) {
  EXPECT_EQ(result_to_text(*parse_signature("func()"), {}), "");
  EXPECT_FALSE(result_to_text(*parse_signature("func()"), Bytes{1}));
  Signature signature = *parse_signature("func() -> result<u8, string>");
  EXPECT_EQ(result_to_text(signature, Bytes{0, 5}), "ok(5)");
  EXPECT_FALSE(result_to_text(signature, Bytes{2}));
}

TEST(CallValues, HandlesAreNumbers) {
  Signature signature =
      *parse_signature("func(self: borrow<bucket>, key: string) -> option<own<cursor>>");
  EXPECT_EQ(arguments_to_text(signature, Bytes{3, 1, 'k'}), "(3, \"k\")");
  EXPECT_EQ(result_to_text(signature, Bytes{1, 9}), "some(9)");
  EXPECT_FALSE(is_plain(signature));
  EXPECT_TRUE(is_plain(*parse_signature("func(key: string) -> option<u8>")));
}

TEST(CallValues, TextIsCutBetweenCharacters) {
  EXPECT_EQ(cut_text("abc", 3), "abc");
  EXPECT_EQ(cut_text("abcd", 3), "abc...");
  EXPECT_EQ(cut_text("a\u00e9b", 2), "a...");
}

}  // namespace
}  // namespace weft
