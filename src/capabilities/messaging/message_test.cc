// Topics, patterns and what lies in a log: what is taken, and what is refused.
#include "capabilities/messaging/message.h"

#include <gtest/gtest.h>

namespace weft::messaging {
namespace {

TEST(Topics, MatchByTheirParts) {
  EXPECT_TRUE(matches("a.b", "a.b"));
  EXPECT_FALSE(matches("a.b", "a.b.c"));
  EXPECT_FALSE(matches("a.b.c", "a.b"));
  EXPECT_TRUE(matches("a.*", "a.b"));
  EXPECT_FALSE(matches("a.*", "a"));
  EXPECT_FALSE(matches("a.*", "a.b.c"));
  EXPECT_TRUE(matches("*.b", "a.b"));
  EXPECT_TRUE(matches("a.>", "a.b"));
  EXPECT_TRUE(matches("a.>", "a.b.c"));
  EXPECT_FALSE(matches("a.>", "a"));
  EXPECT_TRUE(matches(">", "a"));
  EXPECT_FALSE(matches("b.>", "a.b"));
}

TEST(Messages, TakeMemoryWithAllThatIsInThem) {
  std::size_t empty = size_of({"t", {}});
  EXPECT_GE(size_of({"t", Bytes(1'000)}), empty + 1'000);
  EXPECT_GE(size_of({"t", {}, std::string(1'000, 'x')}), empty + 1'000);
  EXPECT_GE(size_of({"t", {}, {}, {}, {{"k", std::string(1'000, 'x')}}}), empty + 1'000);
}

TEST(Topics, AreChecked) {
  for (const char* good : {"a", "a.b", "a-b_c.1", "gr\u00fc\u00dfe"}) {
    EXPECT_TRUE(check_topic(good).has_value()) << good;
    EXPECT_TRUE(check_pattern(good).has_value()) << good;
  }
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "a b", "a\nb", "a\x7f"}) {
    EXPECT_FALSE(check_topic(bad).has_value()) << bad;
    EXPECT_FALSE(check_pattern(bad).has_value()) << bad;
  }
  for (const char* pattern : {"*", ">", "a.*.c", "a.>"}) {
    EXPECT_FALSE(check_topic(pattern).has_value()) << pattern;
    EXPECT_TRUE(check_pattern(pattern).has_value()) << pattern;
  }
  for (const char* pattern : {"a.>.b", "a*", "a.b>"}) {
    EXPECT_FALSE(check_pattern(pattern).has_value()) << pattern;
  }
  // Those of MQTT are none here, and part of a name where they are not alone.
  for (const char* good : {"c#", "a+b.c", "a/b"}) {
    EXPECT_TRUE(check_pattern(good).has_value()) << good;
  }
  for (auto [pattern, meant] : {std::pair{"plant/+/temp", "\"plant.*.temp\""},
                                {"orders.#", "\"orders.>\""},
                                {"#", "\">\""},
                                {"a.#.b", "one or more"}}) {
    auto refused = check_pattern(pattern);
    ASSERT_FALSE(refused.has_value()) << pattern;
    EXPECT_TRUE(refused.error().message().ends_with(meant)) << refused.error().message();
  }
}

Message with_pairs(std::size_t count) {
  Message message{"t", {}};
  for (std::size_t i = 0; i < count; ++i) message.metadata.emplace_back("k", "v");
  return message;
}

TEST(Messages, AreChecked) {
  EXPECT_TRUE(check_message(with_pairs(kOwnMetadataMax)).has_value());
  EXPECT_FALSE(check_message(with_pairs(kOwnMetadataMax + 1)).has_value());
  Message full{"t", Bytes(kMessageBytesMax)};
  EXPECT_TRUE(check_message(full).has_value());
  full.metadata.emplace_back("k", "");
  EXPECT_FALSE(check_message(full).has_value());
}

TEST(DeadLetters, HaveRoomForWhyWhateverElseIsInThem) {
  Message message = with_pairs(kOwnMetadataMax);
  message.data.resize(kMessageBytesMax - 2 * kOwnMetadataMax);
  EXPECT_TRUE(check_message(message).has_value());
  for (std::size_t i = 0; i < kDeadLetterTopicsMax; ++i) {
    auto dead = dead_letter(message, "dead" + std::to_string(i), std::string(kReasonBytesMax, 'r'));
    ASSERT_TRUE(dead.has_value()) << dead.error().message();
    EXPECT_TRUE(check_message(*dead).has_value());
    EXPECT_EQ(dead->data, message.data);
    EXPECT_EQ(dead->metadata.size(), kOwnMetadataMax + 2 * i + 2);
    message = *std::move(dead);
  }
  EXPECT_LE(message.metadata.size(), kMetadataMax);
  EXPECT_EQ(dead_letter(message, "one more", "").error().code(), Errc::kLimit);
}

TEST(DeadLetters, DoNotComeBackToATopicOnWhichTheyWere) {
  Message message{"orders", {}};
  EXPECT_EQ(dead_letter(message, "orders", "").error().code(), Errc::kConflict);
  Message dead = dead_letter(message, "dead", "").value();
  EXPECT_EQ(dead_letter(dead, "dead", "").error().code(), Errc::kConflict);
  EXPECT_EQ(dead_letter(dead, "orders", "").error().code(), Errc::kConflict);
  EXPECT_TRUE(dead_letter(dead, "buried", "").has_value());
}

// What nobody but the host writes is bounded too where somebody does.
TEST(DeadLetters, HaveNoRoomThatOthersMayFill) {
  Message message{"t", {}};
  message.metadata.emplace_back("dead-letter-reason", std::string(kMessageBytesMax + 1, 'x'));
  EXPECT_FALSE(check_message(message).has_value());
  message.metadata.assign(kMetadataMax, {"dead-letter-reason", "x"});
  EXPECT_TRUE(check_message(message).has_value());
  message.metadata.emplace_back("dead-letter-reason", "x");
  EXPECT_FALSE(check_message(message).has_value());
}

TEST(DeadLetters, OfOtherProgramsMayLosePairsAndAreNotLost) {
  Message dead = dead_letter(with_pairs(kMetadataMax), "dead", "why").value();
  EXPECT_TRUE(check_message(dead).has_value());
  EXPECT_EQ(dead.metadata.back().second, "why");
}

TEST(Messages, ComeOutOfALogAsTheyWentIn) {
  Message message{"t", to_bytes("data"), "text/plain", "back", {{"a", "1"}, {"a", ""}}};
  EXPECT_EQ(decode(encode(message)).value(), message);
  EXPECT_EQ(decode(encode({"t", {}})).value(), (Message{"t", {}}));
}

TEST(Messages, ThatAreCutOrChangedAreRefusedOrOthersButNeverMore) {
  Bytes whole = encode({"topic", to_bytes("data"), "type", {}, {{"key", "value"}}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(decode(BytesView(whole).first(size)).has_value()) << size;
  }
  Bytes longer = whole;
  longer.push_back(0);
  EXPECT_FALSE(decode(longer).has_value());
}

}  // namespace
}  // namespace weft::messaging
