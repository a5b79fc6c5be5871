#include "remote/amqp/method.h"

#include <algorithm>
#include <utility>

#include "remote/amqp/frame.h"

namespace weft::remote::amqp {
namespace {

constexpr std::uint16_t kBasic = 60;
constexpr std::uint8_t kPersistent = 2;

// Of the properties of a message, in the order in which they stand.
enum Flag : std::uint16_t {
  kContentType = 1 << 15,
  kContentEncoding = 1 << 14,
  kHeaders = 1 << 13,
  kDeliveryMode = 1 << 12,
  kPriority = 1 << 11,
  kCorrelation = 1 << 10,
  kReplyTo = 1 << 9,
  kExpiration = 1 << 8,
  kMessageId = 1 << 7,
  kTimestamp = 1 << 6,
  kType = 1 << 5,
  kUserId = 1 << 4,
  kAppId = 1 << 3,
  kClusterId = 1 << 2,
  kMore = 1,
};

// A method's frame, whose arguments are written behind it.
class MethodOut {
 public:
  MethodOut(Buffer& out, Number channel, std::uint16_t of_class, std::uint16_t number)
      : frame_(out, Frame::Kind::kMethod, channel) {
    put_two(out, of_class);
    put_two(out, number);
  }

 private:
  FrameOut frame_;
};

void read_start(In& in, Method& method) {
  in.take(2);
  in.table();
  method.mechanisms = in.long_text();
  in.long_text();
}

void read_close(In& in, Method& method) {
  method.code = in.two();
  method.text = in.short_text();
  in.four();
}

void read_return(In& in, Method& method) {
  method.code = in.two();
  method.text = in.short_text();
  method.exchange = in.short_text();
  method.routing_key = in.short_text();
}

void read_deliver(In& in, Method& method) {
  method.consumer = in.short_text();
  method.tag = in.eight();
  method.redelivered = (in.byte() & 1) != 0;
  method.exchange = in.short_text();
  method.routing_key = in.short_text();
}

void read_get_ok(In& in, Method& method) {
  method.tag = in.eight();
  method.redelivered = (in.byte() & 1) != 0;
  method.exchange = in.short_text();
  method.routing_key = in.short_text();
  method.messages = in.four();
}

// False: no server sends it.
bool read_arguments(In& in, Method& method) {
  switch (method.id) {
    case Id::kStart: read_start(in, method); return true;
    case Id::kTune:
      method.channel_max = in.two();
      method.frame_max = in.four();
      method.heartbeat = in.two();
      return true;
    case Id::kConnectionOpenOk: in.short_text(); return true;
    case Id::kConnectionClose:
    case Id::kChannelClose: read_close(in, method); return true;
    case Id::kBlocked: method.text = in.short_text(); return true;
    case Id::kChannelOpenOk: in.long_text(); return true;
    case Id::kFlow: method.active = (in.byte() & 1) != 0; return true;
    case Id::kQueueDeclareOk:
      in.short_text();
      in.four();
      in.four();
      return true;
    case Id::kQueueDeleteOk: in.four(); return true;
    case Id::kConsumeOk:
    case Id::kCancelOk: method.consumer = in.short_text(); return true;
    case Id::kCancel:
      method.consumer = in.short_text();
      in.byte();
      return true;
    case Id::kReturn: read_return(in, method); return true;
    case Id::kDeliver: read_deliver(in, method); return true;
    case Id::kGetOk: read_get_ok(in, method); return true;
    case Id::kGetEmpty: in.short_text(); return true;
    case Id::kAck:
    case Id::kNack:
      method.tag = in.eight();
      method.multiple = (in.byte() & 1) != 0;
      return true;
    case Id::kConnectionCloseOk:
    case Id::kUnblocked:
    case Id::kChannelCloseOk:
    case Id::kExchangeDeclareOk:
    case Id::kExchangeDeleteOk:
    case Id::kQueueBindOk:
    case Id::kQosOk:
    case Id::kSelectOk: return true;
  }
  return false;
}

// Skips or reads what the flags name.
Result<Properties> read_properties(In& in) {
  std::uint16_t flags = in.two();
  if ((flags & kMore) != 0) return corrupt("properties that nobody knows");
  auto text = [&](Flag flag) -> std::optional<std::string> {
    if ((flags & flag) == 0) return std::nullopt;
    return in.short_text();
  };
  Properties found;
  found.content_type = text(kContentType);
  text(kContentEncoding);
  if ((flags & kHeaders) != 0) found.headers = in.table();
  if ((flags & kDeliveryMode) != 0) found.persistent = in.byte() == kPersistent;
  if ((flags & kPriority) != 0) in.byte();
  found.correlation = text(kCorrelation);
  found.reply_to = text(kReplyTo);
  text(kExpiration);
  found.message_id = text(kMessageId);
  if ((flags & kTimestamp) != 0) in.eight();
  text(kType);
  text(kUserId);
  found.app_id = text(kAppId);
  text(kClusterId);
  if (in.failed()) return corrupt("properties that are cut off");
  return found;
}

void put_properties(Buffer& out, const Properties& properties) {
  unsigned flags = kDeliveryMode;
  if (properties.content_type) flags |= kContentType;
  if (!properties.headers.empty()) flags |= kHeaders;
  if (properties.correlation) flags |= kCorrelation;
  if (properties.reply_to) flags |= kReplyTo;
  if (properties.message_id) flags |= kMessageId;
  if (properties.app_id) flags |= kAppId;
  put_two(out, static_cast<std::uint16_t>(flags));
  if (properties.content_type) put_short(out, *properties.content_type);
  if (!properties.headers.empty()) put_table(out, properties.headers);
  put(out, properties.persistent ? kPersistent : 1);
  if (properties.correlation) put_short(out, *properties.correlation);
  if (properties.reply_to) put_short(out, *properties.reply_to);
  if (properties.message_id) put_short(out, *properties.message_id);
  if (properties.app_id) put_short(out, *properties.app_id);
}

void put_header(Buffer& out, Number channel, std::size_t body_bytes, const Properties& properties) {
  FrameOut frame(out, Frame::Kind::kHeader, channel);
  put_two(out, kBasic);
  put_two(out, 0);
  put_eight(out, body_bytes);
  put_properties(out, properties);
}

void put_close(Buffer& out) {
  put_two(out, 200);
  put_short(out, "bye");
  put_four(out, 0);
}

}  // namespace

Result<Method> read_method(BytesView payload) {
  In in(payload);
  Method method{.id = static_cast<Id>(in.four())};
  if (in.failed() || !read_arguments(in, method)) return corrupt("a method that no server sends");
  if (in.failed() || in.left() > 0) return corrupt("a method that is cut off, or goes on");
  return method;
}

Result<ContentHeader> read_content_header(BytesView payload) {
  In in(payload);
  std::uint16_t of_class = in.two();
  in.two();
  ContentHeader header{.body_bytes = in.eight()};
  if (in.failed() || of_class != kBasic) return corrupt("the head of a message that is none");
  TRY(header.properties, read_properties(in));
  if (in.left() > 0) return corrupt("properties that go on");
  return header;
}

void write_start_ok(Buffer& out, const Login& login) {
  MethodOut method(out, 0, 10, 11);
  Table able;
  for (const char* each : {"publisher_confirms", "basic.nack", "consumer_cancel_notify",
                           "connection.blocked", "authentication_failure_close"}) {
    able.emplace_back(each, Value{true});
  }
  put_table(out, {{"product", Value{std::string("weft")}},
                  {"connection_name", Value{std::string(login.name)}},
                  {"capabilities", Value{std::move(able)}}});
  put_short(out, "PLAIN");
  put_four(out, static_cast<std::uint32_t>(2 + login.user.size() + login.password.size()));
  put(out, 0);
  out.append(login.user);
  put(out, 0);
  out.append(login.password);
  put_short(out, "en_US");
}

void write_tune_ok(Buffer& out, std::uint16_t channel_max, std::uint32_t frame_max,
                   std::uint16_t heartbeat) {
  MethodOut method(out, 0, 10, 31);
  put_two(out, channel_max);
  put_four(out, frame_max);
  put_two(out, heartbeat);
}

void write_connection_open(Buffer& out, std::string_view vhost) {
  MethodOut method(out, 0, 10, 40);
  put_short(out, vhost);
  put_short(out, "");
  put(out, 0);
}

void write_connection_close(Buffer& out) {
  MethodOut method(out, 0, 10, 50);
  put_close(out);
}

void write_connection_close_ok(Buffer& out) {
  MethodOut method(out, 0, 10, 51);
}

void write_channel_open(Buffer& out, Number channel) {
  MethodOut method(out, channel, 20, 10);
  put_short(out, "");
}

void write_channel_close(Buffer& out, Number channel) {
  MethodOut method(out, channel, 20, 40);
  put_close(out);
}

void write_channel_close_ok(Buffer& out, Number channel) {
  MethodOut method(out, channel, 20, 41);
}

void write_flow_ok(Buffer& out, Number channel, bool active) {
  MethodOut method(out, channel, 20, 21);
  put(out, active ? 1 : 0);
}

void write_exchange_declare(Buffer& out, Number channel, const ExchangeSpec& exchange) {
  MethodOut method(out, channel, 40, 10);
  put_two(out, 0);
  put_short(out, exchange.name);
  put_short(out, exchange.type);
  put(out, exchange.durable ? 2 : 0);
  put_table(out, {});
}

void write_exchange_delete(Buffer& out, Number channel, std::string_view name) {
  MethodOut method(out, channel, 40, 20);
  put_two(out, 0);
  put_short(out, name);
  put(out, 0);
}

void write_queue_declare(Buffer& out, Number channel, const QueueSpec& queue) {
  MethodOut method(out, channel, 50, 10);
  put_two(out, 0);
  put_short(out, queue.name);
  put(out, static_cast<std::uint8_t>((queue.durable ? 2 : 0) | (queue.exclusive ? 4 : 0)));
  put_table(out, queue.arguments);
}

void write_queue_bind(Buffer& out, Number channel, const Binding& binding) {
  MethodOut method(out, channel, 50, 20);
  put_two(out, 0);
  put_short(out, binding.queue);
  put_short(out, binding.exchange);
  put_short(out, binding.key);
  put(out, 0);
  put_table(out, {});
}

void write_queue_delete(Buffer& out, Number channel, std::string_view name) {
  MethodOut method(out, channel, 50, 40);
  put_two(out, 0);
  put_short(out, name);
  put(out, 0);
}

void write_qos(Buffer& out, Number channel, std::uint16_t prefetch) {
  MethodOut method(out, channel, 60, 10);
  put_four(out, 0);
  put_two(out, prefetch);
  put(out, 0);
}

void write_consume(Buffer& out, Number channel, const ConsumeSpec& consume) {
  MethodOut method(out, channel, 60, 20);
  put_two(out, 0);
  put_short(out, consume.queue);
  put_short(out, consume.consumer);
  put(out, consume.no_acks ? 2 : 0);
  put_table(out, {});
}

void write_cancel(Buffer& out, Number channel, std::string_view consumer) {
  MethodOut method(out, channel, 60, 30);
  put_short(out, consumer);
  put(out, 0);
}

void write_get(Buffer& out, Number channel, std::string_view queue) {
  MethodOut method(out, channel, 60, 70);
  put_two(out, 0);
  put_short(out, queue);
  put(out, 0);
}

void write_select(Buffer& out, Number channel) {
  MethodOut method(out, channel, 85, 10);
  put(out, 0);
}

void write_ack(Buffer& out, Number channel, std::uint64_t tag, Multiple multiple) {
  MethodOut method(out, channel, 60, 80);
  put_eight(out, tag);
  put(out, multiple == Multiple::kYes ? 1 : 0);
}

void write_nack(Buffer& out, Number channel, std::uint64_t tag, Requeue requeue) {
  MethodOut method(out, channel, 60, 120);
  put_eight(out, tag);
  put(out, requeue == Requeue::kYes ? 2 : 0);
}

void write_publish(Buffer& out, Number channel, std::size_t frame_most, const Publish& publish) {
  {
    MethodOut method(out, channel, 60, 40);
    put_two(out, 0);
    put_short(out, publish.exchange);
    put_short(out, publish.routing_key);
    put(out, publish.mandatory ? 1 : 0);
  }
  put_header(out, channel, publish.body.size(), publish.properties);
  BytesView rest(publish.body);
  while (!rest.empty()) {
    BytesView part = rest.first(std::min(rest.size(), frame_most - kFrameAround));
    write_frame(out, {Frame::Kind::kBody, channel, part});
    rest = rest.subspan(part.size());
  }
}

std::size_t header_size(const Properties& properties) {
  Buffer out;
  put_header(out, 1, 0, properties);
  return out.size();
}

Errc code_of(std::uint16_t reply) {
  switch (reply) {
    case 403:
    case 530: return Errc::kDenied;
    case 402:
    case 404: return Errc::kNotFound;
    case 405: return Errc::kConflict;
    case 311:
    case 406: return Errc::kInvalid;
    case 540: return Errc::kUnsupported;
    case 501:
    case 502:
    case 503:
    case 504:
    case 505: return Errc::kCorrupt;
    default: return Errc::kUnavailable;
  }
}

}  // namespace weft::remote::amqp
