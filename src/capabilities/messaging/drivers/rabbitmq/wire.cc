#include "capabilities/messaging/drivers/rabbitmq/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <utility>

#include "base/fnv.h"
#include "capabilities/messaging/drivers/nats/names.h"
#include "capabilities/messaging/pair_text.h"
#include "door/codec.h"

namespace weft::messaging::rabbitmq {
namespace {

using remote::amqp::Array;
using remote::amqp::find;
using remote::amqp::Incoming;
using remote::amqp::Publish;
using remote::amqp::Table;
using remote::amqp::Value;

constexpr std::string_view kReason = "Weft-Reason";
constexpr std::string_view kAttempts = "Weft-Attempts";
constexpr std::string_view kTopic = "Weft-Topic";
constexpr std::string_view kReplyTopic = "Weft-Reply-To";
constexpr std::string_view kDeliveries = "x-delivery-count";
constexpr std::string_view kDeaths = "x-death";
constexpr std::string_view kApp = "weft";
constexpr std::string_view kNoCorrelation = "_";
constexpr std::size_t kNameBytesMax = 128;  // Of a header.
constexpr std::int64_t kAttemptsMax = 1'000'000;

// Different from all others' and from those of other hosts.
std::string new_id() {
  static const std::string host = [] {
    std::random_device random;
    return fmt::format("{:08x}{:08x}{:08x}", random(), random(), random());
  }();
  static std::atomic<std::uint64_t> last = 0;
  return fmt::format("{}.{}", host, ++last);
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

// As one part of a topic: _XX for what is special.
std::string as_part(std::string_view correlation) {
  if (correlation.empty()) return std::string(kNoCorrelation);
  std::string out;
  for (char c : correlation) {
    if (is_plain(c)) {
      out.push_back(c);
    } else {
      out += fmt::format("_{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::optional<std::string> from_part(std::string_view part) {
  if (part == kNoCorrelation) return "";
  auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::string out;
  while (!part.empty()) {
    if (part.front() != '_') {
      out.push_back(part.front());
      part.remove_prefix(1);
      continue;
    }
    if (part.size() < 3 || digit(part[1]) < 0 || digit(part[2]) < 0) return std::nullopt;
    out.push_back(static_cast<char>(digit(part[1]) * 16 + digit(part[2])));
    part.remove_prefix(3);
  }
  return out;
}

// Names of queues that only the server gives: nobody's who is not waiting for a reply.
bool is_reply_queue(std::string_view queue) {
  return queue.starts_with("amq.rabbitmq.reply-to.") || queue.starts_with("amq.gen-");
}

struct ReplyTo {
  std::string queue;
  std::string correlation;
};

Result<ReplyTo> read_reply_topic(std::string_view topic) {
  std::string_view rest = topic.substr(kReplies.size());
  std::size_t dot = rest.find('.');
  auto correlation = from_part(rest.substr(0, dot));
  if (dot != rest.npos && correlation && is_reply_queue(rest.substr(dot + 1))) {
    return ReplyTo{std::string(rest.substr(dot + 1)), *std::move(correlation)};
  }
  return failure(Errc::kInvalid, fmt::format("RabbitMQ: topics that begin with {} are those of "
                                             "replies, as a request names them",
                                             kReplies));
}

// Nothing: it cannot be a topic.
std::optional<std::string> reply_topic(std::string_view queue, std::string_view correlation) {
  std::string topic = fmt::format("{}{}.{}", kReplies, as_part(correlation), queue);
  if (!is_reply_queue(queue) || !check_topic(topic) || !is_utf8(topic)) return std::nullopt;
  return topic;
}

// A queue of the server's stands where AMQP has it; a topic of the broker's is a header of ours.
Result<void> put_reply_to(const std::string& topic, remote::amqp::Properties& properties) {
  if (!topic.starts_with(kReplies)) {
    if (Result<void> well = check_topic(topic); !well) {
      return std::unexpected(std::move(well).error().within("the address for replies"));
    }
    properties.headers.emplace_back(std::string(kReplyTopic), Value{topic});
    return {};
  }
  TRY(ReplyTo to, read_reply_topic(topic));
  properties.reply_to = std::move(to.queue);
  properties.correlation = std::move(to.correlation);
  return {};
}

bool is_weft_s(std::string_view name) {
  return name == kPairName || name == kReason || name == kAttempts || name == kTopic ||
         name == kReplyTopic;
}

// A header of that name is read by the server, or by us.
bool is_reserved(std::string_view name) {
  return name.empty() || name.size() > kNameBytesMax || name == "CC" || name == "BCC" ||
         name.starts_with("x-") || is_weft_s(name);
}

Table headers_of(const Message& message) {
  Table headers;
  Array others;
  std::set<std::string_view> known;
  for (const auto& [key, value] : message.metadata) {
    bool plain = !is_reserved(key) && is_plain_text(key) && is_plain_text(value);
    if (plain && known.insert(key).second) {
      headers.emplace_back(key, Value{value});
    } else {
      others.push_back({pair_text(key, value)});
    }
  }
  if (!others.empty()) headers.emplace_back(std::string(kPairName), Value{std::move(others)});
  return headers;
}

// A header as text; nothing: there is none for it.
std::optional<std::string> text_of(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value.is)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&value.is)) return std::to_string(*number);
  if (const auto* is = std::get_if<bool>(&value.is)) return *is ? "true" : "false";
  if (const auto* number = std::get_if<double>(&value.is)) return fmt::format("{}", *number);
  return std::nullopt;
}

std::string text_of(const Table& headers, std::string_view name) {
  const Value* found = find(headers, name);
  return found == nullptr ? "" : text_of(*found).value_or("");
}

// False: it is no text where text is needed.
bool read_headers(const Table& headers, Message& message) {
  auto add = [&](std::pair<std::string, std::string> pair) {
    if (!is_utf8(pair.first) || !is_utf8(pair.second)) return false;
    if (message.metadata.size() < kMetadataMax) message.metadata.push_back(std::move(pair));
    return true;
  };
  for (const auto& [name, value] : headers) {
    if (is_reserved(name)) continue;
    std::optional<std::string> text = text_of(value);
    if (text && !add({name, *std::move(text)})) return false;
  }
  const Value* others = find(headers, kPairName);
  const auto* array = others == nullptr ? nullptr : std::get_if<Array>(&others->is);
  if (array == nullptr) return true;
  for (const Value& each : *array) {
    auto pair = read_pair(text_of(each).value_or(""));
    if (pair && !add(*std::move(pair))) return false;
  }
  return true;
}

unsigned attempts_of(const Table& headers) {
  const Value* found = find(headers, kAttempts);
  const auto* count = found == nullptr ? nullptr : std::get_if<std::int64_t>(&found->is);
  if (count == nullptr) return 0;
  return static_cast<unsigned>(std::clamp<std::int64_t>(*count, 0, kAttemptsMax));
}

// The first topic that the server itself names of a dead letter, and why it is one.
std::pair<std::string, std::string> death_of(const Table& headers) {
  const Value* found = find(headers, kDeaths);
  const auto* deaths = found == nullptr ? nullptr : std::get_if<Array>(&found->is);
  const auto* first =
      deaths == nullptr || deaths->empty() ? nullptr : std::get_if<Table>(&deaths->front().is);
  if (first == nullptr) return {};
  std::pair<std::string, std::string> death{"", text_of(*first, "reason")};
  const Value* keys = find(*first, "routing-keys");
  const auto* all = keys == nullptr ? nullptr : std::get_if<Array>(&keys->is);
  if (all != nullptr && !all->empty()) death.first = text_of(all->front()).value_or("");
  return death;
}

std::optional<Message> read_message(std::string topic, Incoming came) {
  if (!check_topic(topic) || !is_utf8(topic)) return std::nullopt;
  if (came.too_large || came.body.size() > kMessageBytesMax) return std::nullopt;
  Message message{std::move(topic), std::move(came.body)};
  message.content_type = std::move(came.properties.content_type);
  if (message.content_type && !is_utf8(*message.content_type)) return std::nullopt;
  if (came.properties.reply_to) {
    message.reply_to =
        reply_topic(*came.properties.reply_to, came.properties.correlation.value_or(""));
  } else if (std::string topic_of_reply = text_of(came.properties.headers, kReplyTopic);
             check_topic(topic_of_reply) && is_utf8(topic_of_reply)) {
    message.reply_to = std::move(topic_of_reply);
  }
  if (!read_headers(came.properties.headers, message)) return std::nullopt;
  return message;
}

}  // namespace

std::string Names::queue(std::string_view group) const {
  return fmt::format("{}:{}", prefix, nats::token(group));
}

std::string Names::dead_queue(std::string_view group) const {
  return queue(group) + ":dead";
}

std::string Names::watch_queue() const {
  return fmt::format("{}::watch:{}", prefix, new_id());
}

std::string binding_key(std::string_view pattern) {
  std::string key;
  while (!pattern.empty()) {
    std::string_view part = pattern.substr(0, pattern.find('.'));
    pattern.remove_prefix(std::min(pattern.size(), part.size() + 1));
    if (!key.empty()) key.push_back('.');
    // A part that is AMQP's own wild card is one like any other here.
    key += part == ">" ? "*.#" : part == "#" ? "*" : part;
  }
  return key;
}

Result<Publish> to_wire(const Names& names, const Message& message) {
  Publish out{.exchange = names.exchange, .routing_key = message.topic};
  if (message.topic.starts_with(kReplies)) {
    TRY(ReplyTo to, read_reply_topic(message.topic));
    out.exchange.clear();
    out.routing_key = std::move(to.queue);
    if (!to.correlation.empty()) out.properties.correlation = std::move(to.correlation);
  }
  out.properties.headers = headers_of(message);
  if (message.reply_to && !message.reply_to->empty()) {
    TRY_VOID(put_reply_to(*message.reply_to, out.properties));
  }
  out.properties.content_type = message.content_type;
  out.properties.persistent = true;
  out.properties.message_id = new_id();
  out.properties.app_id = kApp;
  out.body = message.data;
  return out;
}

std::optional<Message> from_wire(Incoming came) {
  std::string topic = came.how.routing_key;
  // It was put into the queue itself: a reply, or a letter that an operator moves back.
  if (came.how.exchange.empty()) topic = text_of(came.properties.headers, kTopic);
  if (topic.empty()) {
    topic = fmt::format("{}{}", kReplies, as_part(came.properties.correlation.value_or("")));
  }
  return read_message(std::move(topic), std::move(came));
}

std::string id_of(const Incoming& came) {
  // Others may give many messages one id.
  if (came.properties.app_id != kApp) return "";
  return came.properties.message_id.value_or("");
}

unsigned deliveries_before(const Incoming& came) {
  const Value* found = find(came.properties.headers, kDeliveries);
  const auto* count = found == nullptr ? nullptr : std::get_if<std::int64_t>(&found->is);
  if (count == nullptr) return came.how.redelivered ? 1 : 0;
  return static_cast<unsigned>(std::clamp<std::int64_t>(*count, 0, kAttemptsMax));
}

// FNV-1a, of as many bits as a number in JSON has.
std::uint64_t number_of(std::string_view id) {
  if (id.empty()) return 0;
  return std::max<std::uint64_t>(fnv1a(id) >> 11, 1);
}

Result<Publish> letter_to_wire(const Names& names, const DeadLetter& letter) {
  Message message = letter.message;
  message.reply_to.reset();  // Whoever asked waits no more.
  TRY(Publish out, to_wire(names, message));
  out.exchange.clear();
  out.routing_key = names.dead_queue(letter.group);
  out.mandatory = true;
  out.properties.headers.emplace_back(std::string(kReason), Value{letter.reason});
  out.properties.headers.emplace_back(std::string(kAttempts),
                                      Value{static_cast<std::int64_t>(letter.attempts)});
  out.properties.headers.emplace_back(std::string(kTopic), Value{letter.message.topic});
  return out;
}

std::optional<DeadLetter> letter_from_wire(std::string_view group, Incoming came) {
  DeadLetter letter{.group = std::string(group),
                    .reason = text_of(came.properties.headers, kReason),
                    .message = {},
                    .attempts = attempts_of(came.properties.headers),
                    .number = number_of(id_of(came))};
  std::string topic = text_of(came.properties.headers, kTopic);
  if (topic.empty()) {
    auto [from, why] = death_of(came.properties.headers);
    topic = std::move(from);
    letter.reason = fmt::format("RabbitMQ gave it up: {}", why);
  }
  auto message = read_message(std::move(topic), std::move(came));
  if (!message) return std::nullopt;
  letter.message = *std::move(message);
  return letter;
}

}  // namespace weft::messaging::rabbitmq
