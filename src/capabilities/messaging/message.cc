#include "capabilities/messaging/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "base/buffer.h"
#include "door/values.h"

namespace weft::messaging {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::string_view kDeadTopic = "dead-letter-topic";
constexpr std::string_view kDeadReason = "dead-letter-reason";

// Takes the first part off.
std::string_view take_part(std::string_view& text) {
  std::string_view part = text.substr(0, text.find('.'));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

// Pairs of a message, by whether they are of those for which there is room in any case.
class PairCount {
 public:
  // Whether it is one that takes no room from the message's own.
  bool reserved(const std::pair<std::string, std::string>& pair) {
    const auto& [key, value] = pair;
    bool one = (key == kDeadTopic || key == kDeadReason) && value.size() <= kReasonBytesMax &&
               reserved_ < 2 * kDeadLetterTopicsMax;
    ++(one ? reserved_ : own_);
    return one;
  }
  std::size_t own() const { return own_; }

 private:
  std::size_t reserved_ = 0;
  std::size_t own_ = 0;
};

Result<void> check_text(std::string_view topic, std::string_view what) {
  if (topic.empty() || topic.size() > kTopicBytesMax) {
    return failure(Errc::kInvalid, fmt::format("a {} of {} bytes: 1 to {} are allowed", what,
                                               topic.size(), kTopicBytesMax));
  }
  bool wrong = std::ranges::any_of(topic, [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte <= ' ' || byte == 0x7f;
  });
  if (wrong) {
    return failure(Errc::kInvalid,
                   fmt::format("a {} has no spaces and no control characters", what));
  }
  if (topic.front() == '.' || topic.back() == '.' || topic.find("..") != topic.npos) {
    return failure(Errc::kInvalid, fmt::format("a {} has no empty part between dots", what));
  }
  return {};
}

bool is_of_mqtt(std::string_view level) {
  return level == "#" || level == "+";
}

// What would be meant by a pattern of MQTT; empty: no pattern of here.
std::string from_mqtt(std::string_view pattern) {
  std::string out(pattern);
  for (char& c : out) c = c == '/' ? '.' : c == '+' ? '*' : c == '#' ? '>' : c;
  std::string_view rest = out;
  while (!rest.empty()) {
    if (take_part(rest) == ">" && !rest.empty()) return {};
  }
  return out;
}

// Taken as they are, they would be brought nothing.
Result<void> check_no_mqtt(std::string_view pattern) {
  std::string_view rest = pattern;
  while (!rest.empty()) {
    std::string_view level = rest.substr(0, rest.find_first_of("./"));
    rest.remove_prefix(std::min(rest.size(), level.size() + 1));
    if (!is_of_mqtt(level)) continue;
    std::string meant = from_mqtt(pattern);
    return failure(
        Errc::kInvalid,
        fmt::format("\"{}\" is no wildcard here: * stands for one part between dots, and "
                    "> at the end for one or more{}",
                    level, meant.empty() ? "" : fmt::format(": write \"{}\"", meant)));
  }
  return {};
}

}  // namespace

Result<void> check_topic(std::string_view topic) {
  TRY_VOID(check_text(topic, "topic"));
  if (topic.find_first_of("*>") == topic.npos) return {};
  return failure(Errc::kInvalid, "a topic that is published to has no * and no >");
}

Result<void> check_pattern(std::string_view pattern) {
  TRY_VOID(check_text(pattern, "pattern of topics"));
  TRY_VOID(check_no_mqtt(pattern));
  std::string_view rest = pattern;
  while (!rest.empty()) {
    std::string_view part = take_part(rest);
    bool wild = part == "*" || (part == ">" && rest.empty());
    if (!wild && part.find_first_of("*>") != part.npos) {
      return failure(Errc::kInvalid,
                     fmt::format("the pattern \"{}\": * is a whole part between dots, and > the "
                                 "last one",
                                 pattern));
    }
  }
  return {};
}

Result<void> check_message(const Message& message) {
  TRY_VOID(check_topic(message.topic));
  std::size_t bytes = message.data.size();
  PairCount count;
  for (const auto& pair : message.metadata) {
    if (!count.reserved(pair)) bytes += pair.first.size() + pair.second.size();
  }
  if (count.own() > kOwnMetadataMax) {
    return failure(Errc::kInvalid, fmt::format("{} pairs of metadata: at most {} are allowed",
                                               count.own(), kOwnMetadataMax));
  }
  if (bytes > kMessageBytesMax) {
    return failure(Errc::kInvalid, fmt::format("a message of {} bytes: at most {} are allowed",
                                               bytes, kMessageBytesMax));
  }
  return {};
}

Result<Message> dead_letter(const Message& message, std::string_view topic,
                            std::string_view reason) {
  std::size_t topics = 0;
  bool was_there = message.topic == topic;
  for (const auto& [key, value] : message.metadata) {
    if (key != kDeadTopic) continue;
    ++topics;
    was_there = was_there || value == topic;
  }
  if (was_there) {
    return failure(Errc::kConflict,
                   fmt::format("it was on {} before: name a topic whose dead letters do not come "
                               "back to it",
                               topic));
  }
  if (topics >= kDeadLetterTopicsMax) {
    return failure(Errc::kLimit, fmt::format("it was on {} topics of dead letters already: {} are "
                                             "allowed",
                                             topics, kDeadLetterTopicsMax));
  }
  Message dead = message;
  dead.topic = topic;
  // Other programs may publish more pairs than weft does: those go, and not the letter.
  PairCount count;
  std::erase_if(dead.metadata, [&](const auto& pair) {
    return !count.reserved(pair) && count.own() > kOwnMetadataMax;
  });
  dead.metadata.emplace_back(kDeadTopic, message.topic);
  dead.metadata.emplace_back(kDeadReason, reason);
  return dead;
}

std::size_t size_of(const Message& message) {
  std::size_t bytes = sizeof(message) + message.topic.size() + message.data.size();
  if (message.content_type) bytes += message.content_type->size();
  if (message.reply_to) bytes += message.reply_to->size();
  for (const auto& pair : message.metadata) {
    bytes += sizeof(pair) + pair.first.size() + pair.second.size();
  }
  return bytes;
}

bool matches(std::string_view pattern, std::string_view topic) {
  while (!pattern.empty() && !topic.empty()) {
    std::string_view wanted = take_part(pattern);
    if (wanted == ">") return true;
    std::string_view part = take_part(topic);
    if (wanted != "*" && wanted != part) return false;
  }
  return pattern.empty() && topic.empty();
}

Bytes encode(const Message& message) {
  Buffer buffer;
  Writer out(buffer);
  out.byte(kFormat);
  out.write(std::string_view(message.topic));
  out.write(message.content_type);
  out.write(message.reply_to);
  out.count(message.metadata.size());
  for (const auto& [key, value] : message.metadata) {
    out.write(std::string_view(key));
    out.write(std::string_view(value));
  }
  out.write(BytesView(message.data));
  BytesView view = buffer.view();
  return {view.begin(), view.end()};
}

Result<Message> decode(BytesView bytes) {
  Reader in(bytes);
  Message message;
  if (in.byte() != kFormat) return failure(Errc::kCorrupt, "no message of this version");
  message.topic = in.read<std::string>();
  message.content_type = in.read<std::optional<std::string>>();
  message.reply_to = in.read<std::optional<std::string>>();
  std::size_t count = in.count();
  for (std::size_t i = 0; i < count; ++i) {
    auto key = in.read<std::string>();
    message.metadata.emplace_back(std::move(key), in.read<std::string>());
  }
  message.data = in.read<Bytes>();
  if (Result<void> end = in.end(); !end) return failure(Errc::kCorrupt, "no message");
  return message;
}

}  // namespace weft::messaging
