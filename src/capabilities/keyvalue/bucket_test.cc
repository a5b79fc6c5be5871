// Shows that a counter's text is read strictly and its sum is never wrapped.
#include "capabilities/keyvalue/bucket.h"

#include <gtest/gtest.h>

#include <limits>

namespace weft::keyvalue {
namespace {

TEST(Counter, reads_back_what_it_wrote) {
  for (std::int64_t value :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{42},
        std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    EXPECT_EQ(read_counter(write_counter(value)), value);
  }
  EXPECT_EQ(as_text(write_counter(-7)), "-7");
  EXPECT_EQ(read_counter(as_bytes("007")), 7);
}

TEST(Counter, says_how_large_the_value_was_that_is_no_number) {
  auto value = read_counter(as_bytes("twelve"));
  ASSERT_FALSE(value.has_value());
  EXPECT_NE(value.error().message().find("6 bytes"), std::string::npos) << value.error().message();
}

TEST(Counter, a_sum_that_does_not_fit_is_an_error) {
  auto most = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(add_counter(most, 0), most);
  EXPECT_EQ(add_counter(most, -most), 0);
  EXPECT_FALSE(add_counter(most, 1).has_value());
  EXPECT_FALSE(add_counter(-most, -2).has_value());
}

}  // namespace
}  // namespace weft::keyvalue
