// Shows that nothing that anybody wrote is obeyed by a terminal, or passes for another line.
#include "base/shown_text.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

TEST(ShownText, HasNothingThatATerminalObeys) {
  EXPECT_EQ(without_controls("a\x1b[1m\tb\n\x7f"), "a\\x1b[1m\tb\n\\x7f");
  EXPECT_EQ(without_controls("\xc2\x9b"
                             "1m \xc2\xa0 \xc3\x9b \u00fc\u20ac\U0001f600"),
            "\\xc2\\x9b1m \xc2\xa0 \xc3\x9b \u00fc\u20ac\U0001f600");
}

TEST(ShownText, ReadsInTheOrderInWhichItIsWritten) {
  for (const char* turns :
       {"\u061c", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u202e", "\u2066", "\u2069"}) {
    EXPECT_EQ(shown_length(turns), 0U);
  }
  EXPECT_EQ(without_controls("a\u202eb"), "a\\xe2\\x80\\xaeb");
  for (const char* well : {"\u2027", "\u202f", "\u2065", "\u206a"}) {
    EXPECT_EQ(shown_length(well), 3U);
  }
}

TEST(ShownText, IsUtf8) {
  for (const char* not_so : {"\xc2", "\x9b", "\xff", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                             "\xf4\x90\x80\x80", "\xe2\x80", "\xe2\x41\x80"}) {
    EXPECT_EQ(shown_length(not_so), 0U);
  }
  EXPECT_EQ(shown_length(""), 0U);
  EXPECT_EQ(without_controls("a\xff"), "a\\xff");
}

TEST(ShownText, IsOneLineWhereOneIsWanted) {
  EXPECT_EQ(on_one_line("a\nb\r\tc\u2028d {\"e\\\"}"), "a\\nb\\r\\tc\\xe2\\x80\\xa8d {\"e\\\"}");
}

TEST(ShownText, IsTheSameJson) {
  EXPECT_EQ(json_without_controls("{\"a\u202e\": \"\xc2\x9b\u00fc\x7f\"}\n"),
            "{\"a\\u202e\": \"\\u009b\u00fc\\u007f\"}\n");
}

}  // namespace
}  // namespace weft
