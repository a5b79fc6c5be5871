#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "remote/amqp/fields.h"

// The methods of AMQP 0-9-1, as far as they are used here, with RabbitMQ's own; and messages.
namespace weft::remote::amqp {

constexpr std::uint32_t method_id(std::uint16_t of_class, std::uint16_t number) {
  return static_cast<std::uint32_t>(of_class) << 16 | number;
}

// What a server sends.
enum class Id : std::uint32_t {
  kStart = method_id(10, 10),
  kTune = method_id(10, 30),
  kConnectionOpenOk = method_id(10, 41),
  kConnectionClose = method_id(10, 50),
  kConnectionCloseOk = method_id(10, 51),
  kBlocked = method_id(10, 60),
  kUnblocked = method_id(10, 61),
  kChannelOpenOk = method_id(20, 11),
  kFlow = method_id(20, 20),
  kChannelClose = method_id(20, 40),
  kChannelCloseOk = method_id(20, 41),
  kExchangeDeclareOk = method_id(40, 11),
  kExchangeDeleteOk = method_id(40, 21),
  kQueueDeclareOk = method_id(50, 11),
  kQueueBindOk = method_id(50, 21),
  kQueueDeleteOk = method_id(50, 41),
  kQosOk = method_id(60, 11),
  kConsumeOk = method_id(60, 21),
  kCancel = method_id(60, 30),
  kCancelOk = method_id(60, 31),
  kReturn = method_id(60, 50),
  kDeliver = method_id(60, 60),
  kGetOk = method_id(60, 71),
  kGetEmpty = method_id(60, 72),
  kAck = method_id(60, 80),
  kNack = method_id(60, 120),
  kSelectOk = method_id(85, 11),
};

struct Method {
  Id id = Id::kStart;
  // Of kStart.
  std::string mechanisms = {};
  // Of kTune: 0 says that there is no bound.
  std::uint16_t channel_max = 0;
  std::uint32_t frame_max = 0;
  std::uint16_t heartbeat = 0;
  // Of what closes, kReturn and, without a code, kBlocked: why.
  std::uint16_t code = 0;
  std::string text = {};
  // Of messages and what answers them.
  std::uint64_t tag = 0;
  bool multiple = false;
  bool redelivered = false;
  std::string consumer = {};
  std::string exchange = {};
  std::string routing_key = {};
  std::uint32_t messages = 0;  // Of kGetOk: further ones in the queue.
  bool active = false;         // Of kFlow.
};

// Of the payload of a method's frame. kCorrupt where it is none that a server sends.
Result<Method> read_method(BytesView payload);

// Those that are used here, of any message. What is no short string is left out by whoever writes.
struct Properties {
  std::optional<std::string> content_type = {};
  Table headers = {};
  bool persistent = false;
  std::optional<std::string> correlation = {};
  std::optional<std::string> reply_to = {};
  std::optional<std::string> message_id = {};
  std::optional<std::string> app_id = {};
};

struct ContentHeader {
  std::uint64_t body_bytes = 0;
  Properties properties = {};
};
Result<ContentHeader> read_content_header(BytesView payload);

struct Login {
  std::string_view user;
  std::string_view password;
  std::string_view name;  // Of the connection, for the server's operators.
};
void write_start_ok(Buffer& out, const Login& login);
void write_tune_ok(Buffer& out, std::uint16_t channel_max, std::uint32_t frame_max,
                   std::uint16_t heartbeat);
void write_connection_open(Buffer& out, std::string_view vhost);
void write_connection_close(Buffer& out);
void write_connection_close_ok(Buffer& out);

using Number = std::uint16_t;  // Of a channel.
void write_channel_open(Buffer& out, Number channel);
void write_channel_close(Buffer& out, Number channel);
void write_channel_close_ok(Buffer& out, Number channel);
void write_flow_ok(Buffer& out, Number channel, bool active);

struct ExchangeSpec {
  std::string name;
  std::string type = "topic";
  bool durable = true;
};
struct QueueSpec {
  std::string name;
  bool durable = true;
  bool exclusive = false;
  Table arguments = {};
};
struct Binding {
  std::string queue;
  std::string exchange;
  std::string key;
};
struct ConsumeSpec {
  std::string queue;
  std::string consumer;
  bool no_acks = false;
};
void write_exchange_declare(Buffer& out, Number channel, const ExchangeSpec& exchange);
void write_exchange_delete(Buffer& out, Number channel, std::string_view name);
void write_queue_declare(Buffer& out, Number channel, const QueueSpec& queue);
void write_queue_bind(Buffer& out, Number channel, const Binding& binding);
void write_queue_delete(Buffer& out, Number channel, std::string_view name);
void write_qos(Buffer& out, Number channel, std::uint16_t prefetch);
void write_consume(Buffer& out, Number channel, const ConsumeSpec& consume);
void write_cancel(Buffer& out, Number channel, std::string_view consumer);
void write_get(Buffer& out, Number channel, std::string_view queue);
void write_select(Buffer& out, Number channel);

enum class Requeue : std::uint8_t { kNo, kYes };
// Whether all that came before it and are not acknowledged are so too.
enum class Multiple : std::uint8_t { kNo, kYes };
void write_ack(Buffer& out, Number channel, std::uint64_t tag, Multiple multiple);
void write_nack(Buffer& out, Number channel, std::uint64_t tag, Requeue requeue);

struct Publish {
  std::string exchange;
  std::string routing_key;
  bool mandatory = false;  // It comes back where no queue takes it.
  Properties properties = {};
  Bytes body = {};
};
// In frames of so many bytes at most.
void write_publish(Buffer& out, Number channel, std::size_t frame_most, const Publish& publish);
// Of the frame that has its properties, which is one.
std::size_t header_size(const Properties& properties);

// What a server's reply code is here.
Errc code_of(std::uint16_t reply);

}  // namespace weft::remote::amqp
