#include "capabilities/messaging/drivers/mqtt/topics.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "capabilities/messaging/pair_text.h"
#include "door/codec.h"

namespace weft::messaging::mqtt {
namespace {

constexpr std::size_t kTextBytesMax = 65'535;
constexpr std::string_view kReplyRoot = "_reply/";

std::string with_slashes(std::string_view topic) {
  std::string out(topic);
  std::ranges::replace(out, '.', '/');
  return out;
}

Result<std::string> text(std::string_view value, std::string_view what) {
  if (value.size() <= kTextBytesMax && is_plain_text(value)) return std::string(value);
  return failure(Errc::kInvalid, fmt::format("MQTT: {} has control characters, or more than {} "
                                             "bytes",
                                             what, kTextBytesMax));
}

}  // namespace

Result<std::string> Topics::placed(std::string_view topic) const {
  if (topic.find_first_of("/+#") != topic.npos) {
    return failure(Errc::kInvalid, "MQTT: a topic there has no / + and #");
  }
  if (!is_plain_text(topic)) {
    return failure(Errc::kInvalid, "MQTT: a topic there has no control characters");
  }
  std::string name = with_slashes(topic);
  if (topic.starts_with(kReplies)) return name;
  if (!prefix_.empty()) return fmt::format("{}/{}", prefix_, name);
  if (!name.starts_with('$')) return name;
  return failure(Errc::kDenied, "MQTT: topics that begin with $ are the server's own");
}

Result<std::string> Topics::name(std::string_view topic) const {
  return placed(topic);
}

Result<std::string> Topics::filter(std::string_view pattern) const {
  TRY(std::string filter, placed(pattern));
  // A prefix has none of these.
  std::ranges::replace(filter, '*', '+');
  if (filter.ends_with('>')) filter.back() = '#';
  return filter;
}

std::optional<std::string> Topics::topic(std::string_view name) const {
  if (!name.starts_with(kReplyRoot) && !prefix_.empty()) {
    if (!name.starts_with(prefix_)) return std::nullopt;
    name.remove_prefix(prefix_.size());
    if (!name.starts_with('/')) return std::nullopt;
    name.remove_prefix(1);
  }
  // A dot within a part could not be told from a slash.
  if (name.contains('.')) return std::nullopt;
  std::string topic(name);
  std::ranges::replace(topic, '/', '.');
  if (!check_topic(topic) || !is_utf8(topic)) return std::nullopt;
  return topic;
}

Result<remote::mqtt::Publish> to_wire(const Topics& topics, const Message& message) {
  remote::mqtt::Publish out;
  TRY(out.topic, topics.name(message.topic));
  if (message.content_type) {
    TRY(out.properties.content_type, text(*message.content_type, "the content type"));
  }
  if (message.reply_to && !message.reply_to->empty()) {
    if (Result<void> well = check_topic(*message.reply_to); !well) {
      return std::unexpected(std::move(well).error().within("the address for replies"));
    }
    TRY(out.properties.response_topic, topics.name(*message.reply_to));
  }
  for (const auto& [key, value] : message.metadata) {
    bool plain = is_plain_text(key) && is_plain_text(value) && key != kPairName;
    auto& pair = plain ? out.properties.user.emplace_back(key, value)
                       : out.properties.user.emplace_back(kPairName, pair_text(key, value));
    if (pair.first.size() > kTextBytesMax || pair.second.size() > kTextBytesMax) {
      return failure(Errc::kInvalid,
                     fmt::format("MQTT: metadata have at most {} bytes each", kTextBytesMax));
    }
  }
  out.payload = message.data;
  return out;
}

std::optional<Message> from_wire(const Topics& topics, remote::mqtt::Publish came) {
  std::optional<std::string> topic = topics.topic(came.topic);
  if (!topic || came.payload.size() > kMessageBytesMax) return std::nullopt;
  Message message{*std::move(topic), std::move(came.payload)};
  auto& properties = came.properties;
  message.content_type = std::move(properties.content_type);
  if (message.content_type && !is_utf8(*message.content_type)) return std::nullopt;
  if (properties.response_topic) message.reply_to = topics.topic(*properties.response_topic);
  for (auto& pair : properties.user) {
    auto read = pair.first == kPairName ? read_pair(pair.second) : std::optional(std::move(pair));
    if (!read) continue;
    if (!is_utf8(read->first) || !is_utf8(read->second)) return std::nullopt;
    if (message.metadata.size() < kMetadataMax) message.metadata.push_back(*std::move(read));
  }
  return message;
}

}  // namespace weft::messaging::mqtt
