#include "capabilities/messaging/drivers/kafka/topics.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "capabilities/messaging/drivers/nats/names.h"
#include "capabilities/messaging/pair_text.h"
#include "door/codec.h"

namespace weft::messaging::kafka {
namespace {

using remote::kafka::Record;

constexpr std::string_view kContentType = "content-type";
constexpr std::string_view kOurs = "weft-";
constexpr const char* kReplyTo = "weft-reply-to";
constexpr const char* kTopic = "weft-topic";
constexpr const char* kGroup = "weft-group";
constexpr const char* kReason = "weft-reason";
constexpr const char* kAttempts = "weft-attempts";
constexpr const char* kDone = "weft-done";
// Metadata that is the record's key.
constexpr std::string_view kKey = "key";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

bool is_pattern(std::string_view pattern) {
  return pattern.find_first_of("*>") != pattern.npos;
}

std::string escaped(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c == '.') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

Result<void> check_name(std::string_view name) {
  bool plain = std::ranges::all_of(name, [](char c) { return is_plain(c); });
  if (plain && name.size() <= kNameBytesMax) return {};
  return failure(Errc::kInvalid,
                 fmt::format("Kafka: a topic there has letters, digits, dots, - and _, and with "
                             "its prefix {} bytes at most",
                             kNameBytesMax));
}

// What stands beside a message there.
struct Beside {
  std::optional<std::string> topic;
  std::string group;
  std::string reason;
  unsigned attempts = 0;
};

void read_header(std::string_view name, std::string_view value, Message& message, Beside& beside) {
  // Other programs' bytes are no metadata here.
  if (!is_utf8(name) || !is_utf8(value)) return;
  if (name == kContentType && !message.content_type) {
    message.content_type = value;
  } else if (name == kReplyTo) {
    if (check_topic(value)) message.reply_to = value;
  } else if (name == kTopic) {
    if (check_topic(value)) beside.topic = value;
  } else if (name == kGroup) {
    beside.group = value;
  } else if (name == kReason) {
    beside.reason = value;
  } else if (name == kAttempts) {
    // What is no number is not known.
    std::from_chars(value.data(), value.data() + value.size(), beside.attempts);
  } else if (!name.starts_with(kOurs)) {
    auto pair = name == kPairName ? read_pair(value)
                                  : std::optional(std::pair(std::string(name), std::string(value)));
    bool fits = message.metadata.size() < kMetadataMax;
    if (pair && fits && is_utf8(pair->first) && is_utf8(pair->second)) {
      message.metadata.push_back(*std::move(pair));
    }
  }
}

// All but the topic.
std::optional<Message> read(const rd_kafka_message_t& came, Beside& beside) {
  if (came.len > kMessageBytesMax) return std::nullopt;
  Message message;
  message.data = to_bytes({static_cast<const char*>(came.payload), came.len});
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&came, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      read_header(name, {static_cast<const char*>(value), value == nullptr ? 0 : size}, message,
                  beside);
    }
  }
  std::string_view key(static_cast<const char*>(came.key), came.key == nullptr ? 0 : came.key_len);
  bool has_key =
      std::ranges::any_of(message.metadata, [](const auto& pair) { return pair.first == kKey; });
  if (came.key != nullptr && !has_key && is_utf8(key) && message.metadata.size() < kMetadataMax) {
    message.metadata.emplace(message.metadata.begin(), kKey, key);
  }
  return message;
}

Result<Record> with_headers(const Message& message) {
  Record out;
  if (message.content_type) out.headers.emplace_back(kContentType, *message.content_type);
  if (message.reply_to && !message.reply_to->empty()) {
    if (Result<void> well = check_topic(*message.reply_to); !well) {
      return std::unexpected(std::move(well).error().within("the address for replies"));
    }
    out.headers.emplace_back(kReplyTo, *message.reply_to);
  }
  for (const auto& [key, value] : message.metadata) {
    if (key == kKey && !out.key) out.key = value;
    bool plain = is_plain_text(key) && !key.empty() && key != kPairName && key != kContentType &&
                 !key.starts_with(kOurs);
    if (plain) {
      out.headers.emplace_back(key, value);
    } else {
      out.headers.emplace_back(kPairName, pair_text(key, value));
    }
  }
  out.data = message.data;
  return out;
}

}  // namespace

std::string Topics::placed(std::string_view topic) const {
  return prefix_.empty() ? std::string(topic) : fmt::format("{}.{}", prefix_, topic);
}

Result<std::string> Topics::name(std::string_view topic) const {
  if (topic.starts_with(kReplies)) return replies();
  if (topic == "_reply" || topic == "_dead" || topic.starts_with("_dead.")) {
    return failure(Errc::kDenied, "Kafka: the topics _reply and _dead.* are weft's own");
  }
  if (prefix_.empty() && topic.starts_with("__")) {
    return failure(Errc::kDenied, "Kafka: topics that begin with __ are the server's own");
  }
  std::string name = placed(topic);
  TRY_VOID(check_name(name));
  return name;
}

Result<std::string> Topics::subscription(std::string_view pattern) const {
  if (!is_pattern(pattern)) return name(pattern);
  std::string expression = "^" + escaped(placed(""));
  std::string_view rest = pattern;
  while (!rest.empty()) {
    std::string_view part = rest.substr(0, rest.find('.'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    if (part == "*") {
      expression += "[^.]+";
    } else if (part == ">") {
      expression += ".+";
    } else {
      TRY_VOID(check_name(part));
      expression += part;
    }
    if (!rest.empty()) expression += "\\.";
  }
  return expression + "$";
}

std::string Topics::ignored() const {
  return fmt::format("^{}$,^{}.*$,^__.*$", escaped(replies()), escaped(all_dead()));
}

std::optional<std::string> Topics::topic(std::string_view name) const {
  if (!prefix_.empty()) {
    if (!name.starts_with(prefix_)) return std::nullopt;
    name.remove_prefix(prefix_.size());
    if (!name.starts_with('.')) return std::nullopt;
    name.remove_prefix(1);
  }
  bool own =
      name == "_reply" || name.starts_with("_dead.") || (prefix_.empty() && name.starts_with("__"));
  if (own || !check_topic(name)) return std::nullopt;
  return std::string(name);
}

std::string Topics::dead(std::string_view group) const {
  return all_dead() + nats::token(group);
}

Result<Record> to_wire(const Topics& topics, const Message& message) {
  TRY(Record out, with_headers(message));
  TRY(out.topic, topics.name(message.topic));
  if (message.topic.starts_with(kReplies)) {
    out.headers.emplace_back(kTopic, message.topic);
    // The replies to one request come in their order: by one partition.
    if (!out.key) out.key = message.topic;
  }
  return out;
}

std::optional<Message> from_wire(const Topics& topics, const rd_kafka_message_t& came) {
  Beside beside;
  std::string_view name = rd_kafka_topic_name(came.rkt);
  std::optional<Message> message = read(came, beside);
  std::optional<std::string> topic = name == topics.replies() ? beside.topic : topics.topic(name);
  if (!message || !topic) return std::nullopt;
  message->topic = *std::move(topic);
  // Ours, for the order of replies.
  if (name == topics.replies()) {
    std::erase(message->metadata, std::pair{std::string(kKey), message->topic});
  }
  return message;
}

Result<Record> letter_to_wire(const Topics& topics, const DeadLetter& letter) {
  TRY(Record out, with_headers(letter.message));
  out.topic = topics.dead(letter.group);
  // One partition has the order of all, whoever made the topic.
  out.partition = 0;
  out.headers.emplace_back(kTopic, letter.message.topic);
  out.headers.emplace_back(kGroup, letter.group);
  out.headers.emplace_back(kReason, letter.reason);
  out.headers.emplace_back(kAttempts, std::to_string(letter.attempts));
  return out;
}

std::optional<DeadLetter> letter_from_wire(const Topics& topics, const rd_kafka_message_t& came) {
  Beside beside;
  std::optional<Message> message = read(came, beside);
  if (!message || !beside.topic || topics.dead(beside.group) != rd_kafka_topic_name(came.rkt)) {
    return std::nullopt;
  }
  message->topic = *std::move(beside.topic);
  // Nothing else has the number 0.
  auto number = static_cast<std::uint64_t>(came.offset) + 1;
  return DeadLetter{std::move(beside.group), std::move(beside.reason), *std::move(message),
                    beside.attempts, number};
}

Record mark_to_wire(const Topics& topics, std::string_view group, std::uint64_t number) {
  Record out;
  out.topic = topics.dead(group);
  out.partition = 0;
  out.headers.emplace_back(kGroup, group);
  out.headers.emplace_back(kDone, std::to_string(number));
  return out;
}

std::uint64_t mark_from_wire(const rd_kafka_message_t& came) {
  rd_kafka_headers_t* headers = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_message_headers(&came, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      rd_kafka_header_get_last(headers, kDone, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      value == nullptr) {
    return 0;
  }
  const char* text = static_cast<const char*>(value);
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text, text + size, number);
  return error == std::errc() && end == text + size ? number : 0;
}

}  // namespace weft::messaging::kafka
