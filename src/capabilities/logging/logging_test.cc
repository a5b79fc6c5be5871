// Shows what becomes of a guest's log records: one line each in the host's log, marked as the
// guest's.
#include "capabilities/logging/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/testing.h"

namespace weft::logging {
namespace {

using ::testing::HasSubstr;

class Logging : public ::testing::Test {
 protected:
  Logging() : before_(log::level_now) { log::set_level(LogLevel::kDebug); }
  ~Logging() override { log::set_level(before_); }

  void log(const Offer& offer, std::uint8_t level, std::string_view context,
           std::string_view message) {
    ASSERT_TRUE(guest_.call<void>(offer, "log", level, context, message).has_value());
  }
  const Offer& versioned() { return offer_of(capability_, "wasi:logging/logging@0.1.0-draft"); }

  LogLevel before_;
  std::vector<std::string> lines_;
  LoggingCapability capability_{[this](LogLevel level, std::string_view message, LogFields fields) {
    lines_.push_back(format_record("T", level, "guest", message, fields));
  }};
  TestGuest guest_{capability_, {}};
};

TEST_F(Logging, both_names_write_a_record_with_the_components_name) {
  log(versioned(), 2, "boot", "ready");
  log(offer_of(capability_, "wasi:logging/logging"), 3, "", "hm");
  ASSERT_EQ(lines_.size(), 2u);
  EXPECT_EQ(lines_[0],
            "T info  guest: log app=app component=component request=0 level=info context=boot "
            "text=ready\n");
  EXPECT_THAT(lines_[1], HasSubstr("T warn  guest: log"));
}

TEST_F(Logging, every_level_has_a_place) {
  for (std::uint8_t level = 0; level < 6; ++level) log(versioned(), level, "c", "m");
  ASSERT_EQ(lines_.size(), 6u);
  EXPECT_THAT(lines_[0], HasSubstr("T debug guest: log"));
  EXPECT_THAT(lines_[0], HasSubstr("level=trace"));
  EXPECT_THAT(lines_[5], HasSubstr("T error guest: log"));
  EXPECT_THAT(lines_[5], HasSubstr("level=critical"));
}

TEST_F(Logging, a_guest_cannot_forge_lines_or_fields) {
  log(versioned(), 2, "c\" app=other", "a\nT error guest: \x1b[31mfake app=other");
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(std::ranges::count(lines_[0], '\n'), 1);
  EXPECT_EQ(lines_[0].find('\x1b'), std::string::npos);
  EXPECT_THAT(lines_[0], HasSubstr("context=\"c\\\" app=other\""));
  EXPECT_THAT(lines_[0], HasSubstr("text=\"a\\nT error"));
}

TEST_F(Logging, a_huge_message_is_cut) {
  log(versioned(), 2, std::string(100'000, 'c'), std::string(1 << 20, 'm'));
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_LE(lines_[0].size(), kLogRecordMax);
  EXPECT_THAT(lines_[0], HasSubstr("text=mmm"));
}

TEST_F(Logging, what_is_too_much_is_dropped_and_counted) {
  for (int i = 0; i < 3000; ++i) log(versioned(), 2, "c", "m");
  EXPECT_GE(lines_.size(), 1000u);
  EXPECT_LT(lines_.size(), 2500u);
}

TEST_F(Logging, below_the_hosts_level_nothing_is_written) {
  log::set_level(LogLevel::kWarn);
  log(versioned(), 2, "c", "m");
  log(versioned(), 3, "c", "m");
  EXPECT_EQ(lines_.size(), 1u);
}

}  // namespace
}  // namespace weft::logging
