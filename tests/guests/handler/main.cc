// Handles messages by wasmcloud:messaging: counts each under "n/BODY" and all under "all", and
// answers who asks with "TOPIC: BODY". "fail" fails, "trap" traps, "spin" never returns, "twice"
// fails the first time.
#include <string>
#include <string_view>

#include "guest.h"

namespace {

guest_string_t lend(std::string_view text) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())), text.size()};
}

std::uint64_t count(wasi_keyvalue_store_own_bucket_t bucket, const std::string& key) {
  auto name = lend(key);
  std::uint64_t sum = 0;
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_atomics_increment(wasi_keyvalue_store_borrow_bucket(bucket), &name, 1, &sum,
                                       &error)) {
    __builtin_trap();
  }
  return sum;
}

bool fail(guest_string_t* error, const char* text) {
  guest_string_dup(error, text);
  return false;
}

}  // namespace

extern "C" bool exports_wasmcloud_messaging_handler_handle_message(
    exports_wasmcloud_messaging_handler_broker_message_t* message, guest_string_t* error) {
  std::string body(reinterpret_cast<const char*>(message->body.ptr), message->body.len);
  std::string topic(reinterpret_cast<const char*>(message->subject.ptr), message->subject.len);
  guest_string_t name = lend("");
  wasi_keyvalue_store_own_bucket_t bucket;
  wasi_keyvalue_store_error_t wrong;
  if (!wasi_keyvalue_store_open(&name, &bucket, &wrong)) return fail(error, "no bucket");
  std::uint64_t times = count(bucket, "n/" + body);
  count(bucket, "all");
  wasi_keyvalue_store_bucket_drop_own(bucket);
  if (body == "trap") __builtin_trap();
  if (body == "spin") {
    for (volatile int i = 0;; ++i) {
    }
  }
  if (body == "fail" || (body == "twice" && times == 1)) return fail(error, "I do not want it");
  if (message->reply_to.is_some) {
    std::string text = topic + ": " + body;
    wasmcloud_messaging_types_broker_message_t reply{};
    reply.subject = message->reply_to.val;
    reply.body = {reinterpret_cast<std::uint8_t*>(text.data()), text.size()};
    if (!wasmcloud_messaging_consumer_publish(&reply, error)) return false;
  }
  return true;
}
