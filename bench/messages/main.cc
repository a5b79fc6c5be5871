// Both sides of the brokers' row, as one component:
//
//   POST /flood/TOPIC "COUNT BYTES"   publishes so many messages, each after the last one's answer
//   GET  /marks                       when the messages "first" and "last" were handled, in
//                                     nanoseconds of the wall clock
//
// What it is woken for it takes, and does nothing: what is measured is the way there.

#include <chrono>
#include <cstdlib>
#include <string>

#include "weft/http_p2.h"
#include "weft/keyvalue.h"

namespace weft::http {
namespace {

void flood(std::string_view topic, const std::string& body, Out out) {
  char* rest = nullptr;
  unsigned long count = std::strtoul(body.c_str(), &rest, 10);
  std::string text(std::strtoul(rest, nullptr, 10), '.');
  guest_list_u8_t data{const_cast<std::uint8_t*>(bytes(text).data()), text.size()};
  wasmcloud_messaging_types_broker_message_t message{detail::lend(topic), data, {}};
  for (unsigned long i = 0; i < count; ++i) {
    guest_string_t error;
    if (wasmcloud_messaging_consumer_publish(&message, &error)) continue;
    return reply(out, 500, std::string(detail::view(error)) + "\n");
  }
  reply(out, 202, "published\n");
}

void marks(Out out) {
  auto bucket = keyvalue::open();
  if (!bucket) return reply(out, 503, bucket.error().message + "\n");
  std::string text;
  for (std::string_view each : {"first", "last"}) {
    auto mark = bucket->get(each);
    if (mark && *mark) text += **mark + "\n";
  }
  reply(out, 200, text);
}

}  // namespace

void handle(Request& request, Out out) {
  constexpr std::string_view kFlood = "/flood/";
  std::string path(request.path());
  if (path == "/marks") return marks(out);
  auto body = request.read_all();
  if (!body || !path.starts_with(kFlood)) return reply(out, 404, "POST /flood/TOPIC\n");
  flood(path.substr(kFlood.size()), *body, out);
}

}  // namespace weft::http

extern "C" bool exports_wasmcloud_messaging_handler_handle_message(
    exports_wasmcloud_messaging_handler_broker_message_t* message, guest_string_t* error) {
  auto body = weft::detail::view(message->body);
  bool first = body.starts_with("first");
  if (!first && !body.starts_with("last")) return true;
  std::chrono::nanoseconds now = std::chrono::system_clock::now().time_since_epoch();
  auto bucket = weft::keyvalue::open();
  auto kept = bucket ? bucket->set(first ? "first" : "last", std::to_string(now.count()))
                     : weft::Result<>(std::unexpected(bucket.error()));
  if (!kept) guest_string_dup(error, kept.error().message.c_str());
  return kept.has_value();
}
