#include "capabilities/messaging/drivers/nats/wire.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "capabilities/messaging/pair_text.h"
#include "door/codec.h"

namespace weft::messaging::nats {
namespace {

constexpr std::string_view kContentType = "Content-Type";
constexpr std::string_view kOurs = "Weft-";
constexpr std::string_view kServers = "Nats-";

bool is_name(std::string_view text) {
  bool plain = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != ':'; });
  return plain && !text.empty() && text != kContentType && !text.starts_with(kOurs) &&
         !text.starts_with(kServers);
}

bool is_value(std::string_view text) {
  if (text.starts_with(' ') || text.ends_with(' ')) return false;
  return std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
}

// The pair that a header stands for; nothing where it is none of the message's.
std::optional<std::pair<std::string, std::string>> pair_of(const std::string& name,
                                                           const std::string& value) {
  if (name != kPairName) {
    if (name.starts_with(kOurs) || name.starts_with(kServers)) return std::nullopt;
    return std::pair(name, value);
  }
  return read_pair(value);
}

}  // namespace

Result<remote::nats::Outgoing> to_wire(const Subjects& subjects, const Message& message) {
  remote::nats::Outgoing out;
  TRY(out.subject, subjects.subject(message.topic));
  if (message.content_type) {
    if (!is_value(*message.content_type)) {
      return failure(Errc::kInvalid, "a content type has no line ends and no spaces around it");
    }
    out.headers.emplace_back(kContentType, *message.content_type);
  }
  for (const auto& [key, value] : message.metadata) {
    if (is_name(key) && is_value(value)) {
      out.headers.emplace_back(key, value);
    } else {
      out.headers.emplace_back(kPairName, pair_text(key, value));
    }
  }
  out.payload = message.data;
  return out;
}

Result<std::string> reply_subject(const Subjects& subjects, const Message& message) {
  if (!message.reply_to || message.reply_to->empty()) return "";
  if (Result<void> topic = check_topic(*message.reply_to); !topic) {
    return std::unexpected(std::move(topic).error().within("the address for replies"));
  }
  return subjects.subject(*message.reply_to);
}

std::optional<Message> from_wire(const Subjects& subjects, remote::nats::Message came) {
  std::optional<std::string> topic = subjects.topic(came.subject);
  if (!topic) return std::nullopt;
  Message message{*std::move(topic), std::move(came.payload)};
  std::string reply = std::move(came.reply);
  for (auto& [name, value] : came.headers.fields) {
    if (!is_utf8(name) || !is_utf8(value)) return std::nullopt;
    if (name == kContentType && !message.content_type) {
      message.content_type = std::move(value);
    } else if (name == kReplyHeader) {
      reply = std::move(value);
    } else if (auto pair = pair_of(name, value)) {
      if (!is_utf8(pair->first) || !is_utf8(pair->second)) return std::nullopt;
      if (message.metadata.size() < kMetadataMax) message.metadata.push_back(*std::move(pair));
    }
  }
  if (message.data.size() > kMessageBytesMax) return std::nullopt;
  // An answer to what is no topic of the broker's could not be published.
  if (!reply.empty()) message.reply_to = subjects.topic(reply);
  return message;
}

}  // namespace weft::messaging::nats
