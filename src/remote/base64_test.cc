// Shows that bytes in base64 are read as they were written, and that nothing else is read.
#include "remote/base64.h"

#include <gtest/gtest.h>

namespace weft::remote {
namespace {

TEST(Base64Test, WritesWhatTheStandardSays) {
  EXPECT_EQ(base64(as_bytes("")), "");
  EXPECT_EQ(base64(as_bytes("f")), "Zg==");
  EXPECT_EQ(base64(as_bytes("fo")), "Zm8=");
  EXPECT_EQ(base64(as_bytes("foo")), "Zm9v");
  EXPECT_EQ(base64(as_bytes("foob")), "Zm9vYg==");
}

TEST(Base64Test, ReadsWhatItWroteOfAnyLength) {
  Bytes bytes;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(*from_base64(base64(bytes)), bytes) << i;
    bytes.push_back(static_cast<std::uint8_t>(i * 37));
  }
}

TEST(Base64Test, RefusesWhatNobodyWrites) {
  for (std::string_view text : {"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v\n", "Z m8", "Zm-v",
                                "====", "Zg==Zg==", "=Zg="}) {
    EXPECT_EQ(from_base64(text).error().code(), Errc::kCorrupt) << text;
  }
}

}  // namespace
}  // namespace weft::remote
