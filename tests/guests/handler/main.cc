// Handles messages by wasmcloud:messaging: counts each under "n/BODY" and all under "all", and
// answers who asks with "TOPIC: BODY". "fail" fails, "trap" traps, "spin" never returns, "twice"
// fails the first time. "stamp N" keeps under "stamp/N" when its handler started, in nanoseconds of
// the wall clock, and does nothing else; "nth" counts under "nth/N" the Nth calls of an instance.
// "say TEXT" prints it as a line.
#include <chrono>
#include <cstdio>
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

bool stamp(std::string_view number, std::chrono::nanoseconds began, guest_string_t* error) {
  auto name = lend("");
  wasi_keyvalue_store_own_bucket_t bucket;
  wasi_keyvalue_store_error_t wrong;
  if (!wasi_keyvalue_store_open(&name, &bucket, &wrong)) return fail(error, "no bucket");
  std::string key = "stamp/" + std::string(number);
  std::string text = std::to_string(began.count());
  auto key_name = lend(key);
  guest_list_u8_t value{reinterpret_cast<std::uint8_t*>(text.data()), text.size()};
  bool kept = wasi_keyvalue_store_method_bucket_set(wasi_keyvalue_store_borrow_bucket(bucket),
                                                    &key_name, &value, &wrong);
  wasi_keyvalue_store_bucket_drop_own(bucket);
  return kept || fail(error, "it was not kept");
}

}  // namespace

extern "C" bool exports_wasmcloud_messaging_handler_handle_message(
    exports_wasmcloud_messaging_handler_broker_message_t* message, guest_string_t* error) {
  std::chrono::nanoseconds began = std::chrono::system_clock::now().time_since_epoch();
  std::string body(reinterpret_cast<const char*>(message->body.ptr), message->body.len);
  std::string topic(reinterpret_cast<const char*>(message->subject.ptr), message->subject.len);
  if (body.starts_with("stamp ")) return stamp(std::string_view(body).substr(6), began, error);
  guest_string_t name = lend("");
  wasi_keyvalue_store_own_bucket_t bucket;
  wasi_keyvalue_store_error_t wrong;
  if (!wasi_keyvalue_store_open(&name, &bucket, &wrong)) return fail(error, "no bucket");
  static int calls = 0;
  ++calls;
  if (body == "nth") {
    count(bucket, "nth/" + std::to_string(calls));
    wasi_keyvalue_store_bucket_drop_own(bucket);
    return true;
  }
  std::uint64_t times = count(bucket, "n/" + body);
  count(bucket, "all");
  wasi_keyvalue_store_bucket_drop_own(bucket);
  if (body.starts_with("say ")) std::printf("%s\n", body.c_str());
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
