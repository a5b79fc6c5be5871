// HTTP over messages: POST /publish/TOPIC publishes the body by wasmcloud:messaging, POST
// /request/TOPIC asks and answers the reply; POST /send/TOPIC sends it by wasi:messaging with the
// metadata "key" of ?key=K, by the client of ?client=NAME; POST /ask/TOPIC asks so. POST
// /stamps/TOPIC publishes as many messages as the body says, "stamp 0" and so on, a pause between
// them, and answers when each was kept, in nanoseconds of the wall clock.
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "weft/http_p2.h"

namespace weft::http {
namespace {

using detail::lend;
using detail::view;

guest_list_u8_t lend_bytes(std::string_view text) {
  return {const_cast<std::uint8_t*>(bytes(text).data()), text.size()};
}

void fail(Out out, std::string text) {
  Response(out, 500).write(text + "\n");
}

std::string text_of(const wasi_messaging_types_error_t& error) {
  switch (error.tag) {
    case WASI_MESSAGING_TYPES_ERROR_TIMEOUT: return "timeout";
    case WASI_MESSAGING_TYPES_ERROR_CONNECTION:
      return "connection: " + std::string(view(error.val.connection));
    case WASI_MESSAGING_TYPES_ERROR_PERMISSION_DENIED:
      return "permission-denied: " + std::string(view(error.val.permission_denied));
    default: return std::string(view(error.val.other));
  }
}

void publish(std::string_view topic, std::string_view body, Out out) {
  wasmcloud_messaging_types_broker_message_t message{lend(topic), lend_bytes(body), {}};
  guest_string_t error;
  if (!wasmcloud_messaging_consumer_publish(&message, &error)) {
    return fail(out, std::string(view(error)));
  }
  Response(out, 202).write("published\n");
}

void stamps(std::string_view topic, std::string_view body, Out out) {
  std::string text;
  int count = std::atoi(std::string(body).c_str());
  for (int i = 0; i < count; ++i) {
    std::string stamp = "stamp " + std::to_string(i);
    wasmcloud_messaging_types_broker_message_t message{lend(topic), lend_bytes(stamp), {}};
    guest_string_t error;
    if (!wasmcloud_messaging_consumer_publish(&message, &error)) {
      return fail(out, std::string(view(error)));
    }
    std::chrono::nanoseconds kept = std::chrono::system_clock::now().time_since_epoch();
    text += std::to_string(kept.count()) + "\n";
    usleep(2'000);
  }
  Response(out, 200).write(text);
}

void request(std::string_view topic, std::string_view body, Out out) {
  auto subject = lend(topic);
  auto data = lend_bytes(body);
  wasmcloud_messaging_types_broker_message_t reply;
  guest_string_t error;
  if (!wasmcloud_messaging_consumer_request(&subject, &data, 2'000, &reply, &error)) {
    return fail(out, std::string(view(error)));
  }
  Response(out, 200).write(std::string(view(reply.body)));
}

bool connect(std::string_view name, wasi_messaging_types_own_client_t* client, Out out) {
  auto text = lend(name);
  wasi_messaging_types_error_t error;
  if (wasi_messaging_types_static_client_connect(&text, client, &error)) return true;
  fail(out, text_of(error));
  return false;
}

wasi_messaging_types_own_message_t message_of(std::string_view body, std::string_view key) {
  auto data = lend_bytes(body);
  auto message = wasi_messaging_types_constructor_message(&data);
  if (key.empty()) return message;
  auto name = lend("key");
  auto value = lend(key);
  wasi_messaging_types_method_message_add_metadata(wasi_messaging_types_borrow_message(message),
                                                   &name, &value);
  return message;
}

void send(const Request& incoming, std::string_view topic, std::string_view body, Out out) {
  wasi_messaging_types_own_client_t client;
  if (!connect(incoming.query("client"), &client, out)) return;
  auto message = message_of(body, incoming.query("key"));
  auto subject = lend(topic);
  wasi_messaging_types_error_t error;
  bool sent = wasi_messaging_producer_send(wasi_messaging_types_borrow_client(client), &subject,
                                           message, &error);
  wasi_messaging_types_client_drop_own(client);
  if (!sent) return fail(out, text_of(error));
  Response(out, 202).write("sent\n");
}

void ask(const Request& incoming, std::string_view topic, std::string_view body, Out out) {
  wasi_messaging_types_own_client_t client;
  if (!connect(incoming.query("client"), &client, out)) return;
  auto message = message_of(body, "");
  auto subject = lend(topic);
  wasi_messaging_request_reply_list_own_message_t replies;
  wasi_messaging_types_error_t error;
  if (!wasi_messaging_request_reply_request(wasi_messaging_types_borrow_client(client), &subject,
                                            wasi_messaging_types_borrow_message(message), nullptr,
                                            &replies, &error)) {
    return fail(out, text_of(error));
  }
  guest_list_u8_t data;
  wasi_messaging_types_method_message_data(wasi_messaging_types_borrow_message(replies.ptr[0]),
                                           &data);
  Response(out, 200).write(std::string(view(data)));
}

}  // namespace

void handle(Request& incoming, Out out) {
  auto body = incoming.read_all();
  std::string path(incoming.path());
  std::size_t cut = path.find('/', 1);
  if (!body || cut == path.npos) return fail(out, "POST /publish/TOPIC");
  std::string verb = path.substr(1, cut - 1);
  std::string topic = decode(path.substr(cut + 1));
  if (verb == "publish") return publish(topic, *body, out);
  if (verb == "stamps") return stamps(topic, *body, out);
  if (verb == "request") return request(topic, *body, out);
  if (verb == "send") return send(incoming, topic, *body, out);
  if (verb == "ask") return ask(incoming, topic, *body, out);
  fail(out, "there is no such verb");
}

}  // namespace weft::http
