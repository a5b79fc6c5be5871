#include "json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace json {
namespace {

using testing::HasSubstr;

TEST(Json, ValuesOfEachKind) {
  // One text with all kinds, in spaces, read to the same values.
  auto read =
      parse(" {\"a\": [null, true, false, -1.5e2, 0], \"b\":{ } , \"c\":\"x\\n\\u00e9\"}\n");
  ASSERT_TRUE(read) << read.error();
  const Value* a = read->find("a");
  ASSERT_EQ(a->items.size(), 5U);
  EXPECT_EQ(a->items[0].kind, Kind::kNull);
  EXPECT_TRUE(a->items[1].flag);
  EXPECT_EQ(a->items[2].kind, Kind::kFlag);
  EXPECT_EQ(a->items[3].number, -150);
  EXPECT_EQ(a->items[4].number, 0);
  EXPECT_EQ(read->find("b")->kind, Kind::kObject);
  EXPECT_EQ(read->find("c")->text, "x\né");
  EXPECT_EQ(read->find("d"), nullptr);
}

TEST(Json, TheLastOfTwoNamesCounts) {
  // Also where an earlier one is of another kind.
  EXPECT_EQ(parse(R"({"a":[1,2],"a":3})")->find("a")->number, 3);
}

TEST(Json, WhatIsNotJsonIsRefused) {
  // Each of these is taken by lenient readers, and refused here.
  for (std::string_view text :
       {"",     " ",     "{",      "[1,]",   "[1 2]",   "{\"a\":1,}",  "{a:1}", "{'a':1}",
        "01",   "+1",    "1.",     ".5",     "1e",      "-",           "NaN",   "1e999",
        "tru",  "nulll", "\"a",    "\"\t\"", "\"\\x\"", "\"\\u12g4\"", "1 1",   "// 1",
        "[1]]", "\"\\",  "\"\\u12"}) {
    EXPECT_FALSE(parse(text)) << text;
  }
  EXPECT_FALSE(parse(std::string_view("\0", 1)));
  EXPECT_FALSE(parse(std::string_view("\"\\\0\"", 4)));
}

TEST(Json, TextIsUtf8) {
  // Escapes of two halves are one character; halves alone and wrong bytes are refused.
  EXPECT_EQ(parse(R"("\ud83d\ude00")")->text, "😀");
  EXPECT_EQ(parse("\"é€😀\"")->text, "é€😀");
  for (std::string_view text :
       {R"("\ud83d")", R"("\ude00")", R"("\ud83dA")", "\"\xff\"", "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"", "\"\xe2\x82\"", "\"\xf4\x90\x80\x80\"", "\"\xe0\x80\x80\""}) {
    EXPECT_FALSE(parse(text)) << text;
  }
  EXPECT_TRUE(is_utf8("a é€😀"));
  EXPECT_FALSE(is_utf8("a\xff"));
}

TEST(Json, Bounds) {
  // As deep and as many as is allowed, and one more.
  auto deep = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(parse(deep(kDepthMax + 1)));
  EXPECT_THAT(parse(deep(kDepthMax + 2)).error(), HasSubstr("nested too deeply"));
  EXPECT_FALSE(parse(std::string(1'000'000, '[')));
  auto many = [](std::size_t count) {
    std::string text = "[1";
    for (std::size_t i = 1; i < count; ++i) text += ",1";
    return text + "]";
  };
  EXPECT_TRUE(parse(many(kValuesMax - 1)));
  EXPECT_THAT(parse(many(kValuesMax)).error(), HasSubstr("too many values"));
}

TEST(Json, WhatIsWrittenReadsBack) {
  // Every character below 128, and some above.
  std::string all = "é😀";
  for (char c = 0; c < 127; ++c) all += c;
  auto read = parse(written(all));
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->text, all);
}

TEST(Json, ItSaysWhere) {
  // The byte at which it stopped.
  EXPECT_EQ(parse(R"({"a" 1})").error(), "byte 5: a colon was expected");
}

}  // namespace
}  // namespace json
