// weft_rabbitmq_bench URL VERB TOPIC COUNT BYTES: librabbitmq (rabbitmq-c), plain. TOPIC is
// EXCHANGE.KEY. `make` makes the queue EXCHANGE:KEY anew, which gets what is published to KEY: a
// quorum queue with the arguments of a group's in weft's driver, and `consume` asks for as many
// messages at once. `publish` waits for the server's confirms of messages that are persistent.

#include <amqp.h>
#include <amqp_tcp_socket.h>

#include <array>
#include <set>

#include "broker_main.h"

namespace broker_bench {
namespace {

constexpr amqp_channel_t kChannel = 1;
constexpr int kFrameBytesMax = 131'072;
constexpr std::uint8_t kPersistent = 2;
constexpr std::int64_t kMessagesMax = 1'000'000;
// What weft asks for: what it may run, and four times as many ahead.
constexpr std::uint16_t kPrefetch = 5 * kInFlight;

struct Place {
  std::string exchange;
  std::string key;
  std::string queue;
};

Place place_of(const Job& job) {
  std::size_t dot = job.topic.find('.');
  if (dot == job.topic.npos) std::exit(fail("the topic is EXCHANGE.KEY"));
  Place place{job.topic.substr(0, dot), job.topic.substr(dot + 1), ""};
  place.queue = place.exchange + ":" + place.key;
  return place;
}

amqp_bytes_t bytes(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};
}

std::string_view text_of(amqp_bytes_t bytes) {
  return {static_cast<const char*>(bytes.bytes), bytes.len};
}

void check(int status, std::string_view what) {
  if (status == AMQP_STATUS_OK) return;
  std::exit(fail(fmt::format("{}: {}", what, amqp_error_string2(status))));
}

void check(const amqp_rpc_reply_t& reply, std::string_view what) {
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) check(reply.library_error, what);
  std::string_view why = "the server closes the connection";
  if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
    why = text_of(static_cast<amqp_channel_close_t*>(reply.reply.decoded)->reply_text);
  }
  std::exit(fail(fmt::format("{}: {}", what, why)));
}

// Of the method that was called last.
void check_answer(amqp_connection_state_t connection, std::string_view what) {
  check(amqp_get_rpc_reply(connection), what);
}

amqp_connection_state_t connect(std::string url) {
  amqp_connection_info to;
  check(amqp_parse_url(url.data(), &to), "the URL");
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t* socket = amqp_tcp_socket_new(connection);
  check(amqp_socket_open(socket, to.host, to.port), "connecting");
  check(amqp_login(connection, to.vhost, AMQP_DEFAULT_MAX_CHANNELS, kFrameBytesMax, 0,
                   AMQP_SASL_METHOD_PLAIN, to.user, to.password),
        "logging in");
  amqp_channel_open(connection, kChannel);
  check_answer(connection, "the channel");
  return connection;
}

amqp_table_entry_t argument(std::string_view name, std::string_view text) {
  amqp_table_entry_t entry{bytes(name), {}};
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = bytes(text);
  return entry;
}

amqp_table_entry_t argument(std::string_view name, std::int64_t number) {
  amqp_table_entry_t entry{bytes(name), {}};
  entry.value.kind = AMQP_FIELD_KIND_I64;
  entry.value.value.i64 = number;
  return entry;
}

int make(const Job& job, amqp_connection_state_t connection) {
  Place place = place_of(job);
  amqp_exchange_declare(connection, kChannel, bytes(place.exchange), bytes("topic"), 0, 1, 0, 0,
                        amqp_empty_table);
  check_answer(connection, "the exchange");
  amqp_queue_delete(connection, kChannel, bytes(place.queue), 0, 0);
  check_answer(connection, "the queue of before");
  std::array arguments{argument("x-queue-type", "quorum"), argument("x-max-length", kMessagesMax),
                       argument("x-overflow", "reject-publish")};
  amqp_queue_declare(connection, kChannel, bytes(place.queue), 0, 1, 0, 0,
                     {static_cast<int>(arguments.size()), arguments.data()});
  check_answer(connection, "the queue");
  amqp_queue_bind(connection, kChannel, bytes(place.queue), bytes(place.exchange), bytes(place.key),
                  amqp_empty_table);
  check_answer(connection, "the binding");
  return 0;
}

// Takes in what the server confirms next, of those that it still owes.
void wait_for_confirm(amqp_connection_state_t connection, std::set<std::uint64_t>& owed) {
  amqp_frame_t frame;
  check(amqp_simple_wait_frame(connection, &frame), "waiting for a confirm");
  if (frame.frame_type != AMQP_FRAME_METHOD) return;
  if (frame.payload.method.id != AMQP_BASIC_ACK_METHOD) std::exit(fail("a message is refused"));
  auto& ack = *static_cast<amqp_basic_ack_t*>(frame.payload.method.decoded);
  if (ack.multiple != 0) {
    owed.erase(owed.begin(), owed.upper_bound(ack.delivery_tag));
  } else {
    owed.erase(ack.delivery_tag);
  }
  amqp_maybe_release_buffers(connection);
}

// With ids, and as weft's own messages: whoever is woken by them knows them again.
int publish(const Job& job, amqp_connection_state_t connection) {
  Place place = place_of(job);
  amqp_confirm_select(connection, kChannel);
  check_answer(connection, "confirms");
  amqp_basic_properties_t properties{};
  properties._flags =
      AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_APP_ID_FLAG;
  properties.delivery_mode = kPersistent;
  properties.app_id = bytes("weft");
  std::set<std::uint64_t> owed;
  auto begin = Clock::now();
  for (int i = 0; i < job.count; ++i) {
    while (owed.size() >= kInFlight) wait_for_confirm(connection, owed);
    std::string body = body_of(job, i);
    std::string id = fmt::format("{:024x}.{}", begin.time_since_epoch().count(), i);
    properties.message_id = bytes(id);
    check(amqp_basic_publish(connection, kChannel, bytes(place.exchange), bytes(place.key), 0, 0,
                             &properties, bytes(body)),
          "publishing");
    owed.insert(static_cast<std::uint64_t>(i) + 1);
  }
  while (!owed.empty()) wait_for_confirm(connection, owed);
  return say_seconds(begin, Clock::now());
}

int consume(const Job& job, amqp_connection_state_t connection) {
  Place place = place_of(job);
  amqp_basic_qos(connection, kChannel, 0, kPrefetch, 0);
  check_answer(connection, "the prefetch");
  amqp_basic_consume(connection, kChannel, bytes(place.queue), amqp_empty_bytes, 0, 0, 0,
                     amqp_empty_table);
  check_answer(connection, "consuming");
  Clock::time_point first;
  for (int seen = 0; seen < job.count; ++seen) {
    amqp_envelope_t message;
    amqp_maybe_release_buffers(connection);
    check(amqp_consume_message(connection, &message, nullptr, 0), "a message");
    if (seen == 0) first = Clock::now();
    check(amqp_basic_ack(connection, kChannel, message.delivery_tag, 0), "acknowledging");
    amqp_destroy_envelope(&message);
  }
  return say_seconds(first, Clock::now());
}

int run(const Job& job) {
  end_in_time();
  amqp_connection_state_t connection = connect(job.url);
  int code = job.verb == "publish"   ? publish(job, connection)
             : job.verb == "consume" ? consume(job, connection)
             : job.verb == "make"    ? make(job, connection)
                                     : fail("there is no verb " + job.verb);
  // The server has then done with what was acknowledged.
  amqp_channel_close(connection, kChannel, AMQP_REPLY_SUCCESS);
  amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
  amqp_destroy_connection(connection);
  return code;
}

}  // namespace
}  // namespace broker_bench

int main(int count, char** arguments) {
  return broker_bench::run(broker_bench::job_of(count, arguments));
}
