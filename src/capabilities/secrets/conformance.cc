// Shows what every driver of secrets does alike: what is read, when it is seen anew, what is not
// there, and what a failure says.
#include "capabilities/secrets/conformance.h"

#include <gmock/gmock.h>

namespace weft::secrets {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_P(Conformance, gives_what_was_set) {
  keeper_->set("payment-key", "hunter2");
  keeper_->set("other-key", "hunter3");
  ASSERT_TRUE(source_->open().has_value());
  EXPECT_EQ(text("payment-key"), "hunter2");
  EXPECT_EQ(text("other-key"), "hunter3");
  EXPECT_EQ(text("payment-key"), "hunter2");
}

TEST_P(Conformance, values_are_as_long_as_the_bound_and_any_text) {
  std::string longest(kValueBytesMax, 'a');
  keeper_->set("longest", longest);
  keeper_->set("unicode", "p\u00e4ssw\u00f6rd \U0001F511 \"'\\$`");
  keeper_->set("lines", "-----BEGIN-----\r\n  line\n\n-----END-----");
  keeper_->set("spaces", "  a  ");
  ASSERT_TRUE(source_->open().has_value());
  EXPECT_EQ(text("longest"), longest);
  EXPECT_EQ(text("unicode"), "p\u00e4ssw\u00f6rd \U0001F511 \"'\\$`");
  EXPECT_EQ(text("lines"), "-----BEGIN-----\r\n  line\n\n-----END-----");
  EXPECT_EQ(text("spaces"), "  a  ");
}

TEST_P(Conformance, the_empty_value_is_a_value) {
  keeper_->set("empty", "");
  ASSERT_TRUE(source_->open().has_value());
  EXPECT_EQ(text("empty"), "");
}

TEST_P(Conformance, bytes_that_are_no_text_come_as_they_are) {
  if (GetParam().only_text) GTEST_SKIP() << "it holds text alone";
  std::string bytes("\x00\xff\xfe\n\x80\n", 6);
  keeper_->set("binary", bytes);
  ASSERT_TRUE(source_->open().has_value());
  EXPECT_EQ(text("binary"), bytes);
}

TEST_P(Conformance, a_newline_at_the_end_of_a_text_is_kept_or_taken_off_as_documented) {
  keeper_->set("line", "hunter2\n");
  ASSERT_TRUE(source_->open().has_value());
  EXPECT_EQ(text("line"), GetParam().strips_newline ? "hunter2" : "hunter2\n");
}

TEST_P(Conformance, what_is_not_there_is_not_found) {
  keeper_->set("payment-key", "hunter2");
  ASSERT_TRUE(source_->open().has_value());
  auto none = read("paymentkey");
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code(), Errc::kNotFound);
  EXPECT_THAT(none.error().message(), Not(HasSubstr("hunter2")));
}

// Names that would lead elsewhere in a folder, a URL or a file lead to nothing.
TEST_P(Conformance, a_name_leads_to_a_secret_and_nowhere_else) {
  keeper_->set("a", "hunter2");
  ASSERT_TRUE(source_->open().has_value());
  for (std::string_view name :
       {std::string_view("../a"), std::string_view("."), std::string_view(".."),
        std::string_view("a/../a"), std::string_view("a/"), std::string_view("a?x=1"),
        std::string_view("a\0", 2), std::string_view("")}) {
    auto value = read(name);
    ASSERT_FALSE(value.has_value()) << name;
    EXPECT_THAT(value.error().code(), ::testing::AnyOf(Errc::kNotFound, Errc::kInvalid)) << name;
  }
  EXPECT_EQ(read(std::string(kNameBytesMax + 1, 'n')).error().code(), Errc::kInvalid);
}

TEST_P(Conformance, the_next_read_sees_what_was_put_in_its_place) {
  keeper_->set("key", "first");
  ASSERT_TRUE(source_->open().has_value());
  auto held = read("key");
  keeper_->set("key", "second");
  EXPECT_EQ(text("key"), "second");
  EXPECT_EQ(held->reveal(), "first");
  keeper_->remove("key");
  EXPECT_EQ(read("key").error().code(), Errc::kNotFound);
  keeper_->set("key", "third");
  EXPECT_EQ(text("key"), "third");
}

TEST_P(Conformance, a_source_that_breaks_down_fails_and_shows_nothing) {
  if (!GetParam().breaks) GTEST_SKIP() << "it has nothing that could break";
  keeper_->set("key", "hunter2");
  ASSERT_TRUE(source_->open().has_value());
  EXPECT_EQ(text("key"), "hunter2");
  keeper_->break_down();
  auto value = read("key");
  ASSERT_FALSE(value.has_value());
  EXPECT_THAT(value.error().message(), Not(HasSubstr("hunter2")));
  EXPECT_FALSE(value.error().message().empty());
}

}  // namespace
}  // namespace weft::secrets
