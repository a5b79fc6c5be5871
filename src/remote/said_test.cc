// Shows that whatever a server says becomes one line of UTF-8 of a bounded length.
#include "remote/said.h"

#include <gtest/gtest.h>

namespace weft::remote {
namespace {

TEST(Said, IsOneLine) {
  EXPECT_EQ(said("no such role"), "no such role");
  EXPECT_EQ(said("refused\n\tIs the server running?\n"), "refused Is the server running?");
  EXPECT_EQ(said("\x1b[31mred\r\n\0end"), "[31mred");
  EXPECT_EQ(said(std::string_view("a\0b", 3)), "a b");
  EXPECT_EQ(said(" \n"), "");
}

TEST(Said, IsUtf8) {
  EXPECT_EQ(said("gr\xc3\xbc\xc3\x9f \xe2\x98\x83 \xf0\x9f\xa7\xb6"),
            "gr\xc3\xbc\xc3\x9f \xe2\x98\x83 \xf0\x9f\xa7\xb6");
  EXPECT_EQ(said("gr\xfc\xdf"), "gr??");
  EXPECT_EQ(said("\xc3"), "?");
  EXPECT_EQ(said("\xe2\x98"), "??");
  EXPECT_EQ(said("\xc0\x80 \xed\xa0\x80 \xf4\x90\x80\x80 \xf0\x80\x80\x80 \xe0\x80\x80 \xff"),
            "?? ??? ???? ???? ??? ?");
}

TEST(Said, IsCut) {
  EXPECT_EQ(said(std::string(kSaidBytesMax, 'x')), std::string(kSaidBytesMax, 'x'));
  EXPECT_EQ(said(std::string(10 * kSaidBytesMax, 'x')), std::string(kSaidBytesMax, 'x') + "...");
}

}  // namespace
}  // namespace weft::remote
