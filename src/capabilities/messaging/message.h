#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace weft::messaging {

// Bounds that hold for every driver.
inline constexpr std::size_t kTopicBytesMax = 250;
inline constexpr std::size_t kMessageBytesMax = 1 << 20;  // Of data and metadata together.
// Pairs of metadata, beside those that dead letters have.
inline constexpr std::size_t kOwnMetadataMax = 64;
// Each topic of dead letters that a message was on has two pairs in it, for which there is room
// whatever else the message has: of so many topics.
inline constexpr std::size_t kDeadLetterTopicsMax = 4;
inline constexpr std::size_t kMetadataMax = kOwnMetadataMax + 2 * kDeadLetterTopicsMax;
// Of why a message is a dead letter: the rest is cut off.
inline constexpr std::size_t kReasonBytesMax = 4'096;
inline constexpr std::size_t kBrokerNameBytesMax = 250;
inline constexpr std::size_t kGroupNameBytesMax = 250;

struct Message {
  std::string topic;
  Bytes data;
  std::optional<std::string> content_type = {};
  std::optional<std::string> reply_to = {};
  std::vector<std::pair<std::string, std::string>> metadata = {};

  friend bool operator==(const Message&, const Message&) = default;
};

// kInvalid, with the bound or what is wrong with it.
Result<void> check_topic(std::string_view topic);
Result<void> check_pattern(std::string_view pattern);
Result<void> check_message(const Message& message);
// What is published of a message that died to a topic of dead letters: the message, and where it
// was and why it died in the metadata `dead-letter-topic` and `dead-letter-reason`. kConflict where
// it was on that topic before, which would go on for ever; kLimit where it was on too many.
// `reason`: kReasonBytesMax at most.
Result<Message> dead_letter(const Message& message, std::string_view topic,
                            std::string_view reason);
// Of a checked pattern and a checked topic.
bool matches(std::string_view pattern, std::string_view topic);

// What it takes of memory, about.
std::size_t size_of(const Message& message);

// As it lies in a log, and back: kCorrupt for what is none.
Bytes encode(const Message& message);
Result<Message> decode(BytesView bytes);

}  // namespace weft::messaging
