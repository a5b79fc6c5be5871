// The same by wasi:messaging: counts each message under "w/TOPIC/BODY/KEY", answers who asks, and
// refuses "reject" for good.
#include <string>
#include <string_view>

#include "guest.h"

namespace {

guest_string_t lend(std::string_view text) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())), text.size()};
}

template <class T>
std::string text_of(const T& bytes) {
  return {reinterpret_cast<const char*>(bytes.ptr), bytes.len};
}

void count(const std::string& key) {
  guest_string_t name = lend("");
  wasi_keyvalue_store_own_bucket_t bucket;
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_store_open(&name, &bucket, &error)) __builtin_trap();
  auto counter = lend(key);
  std::uint64_t sum = 0;
  if (!wasi_keyvalue_atomics_increment(wasi_keyvalue_store_borrow_bucket(bucket), &counter, 1, &sum,
                                       &error)) {
    __builtin_trap();
  }
  wasi_keyvalue_store_bucket_drop_own(bucket);
}

}  // namespace

extern "C" bool exports_wasi_messaging_incoming_handler_handle(
    exports_wasi_messaging_incoming_handler_own_message_t message,
    exports_wasi_messaging_incoming_handler_error_t* error) {
  auto lent = wasi_messaging_types_borrow_message(message);
  guest_list_u8_t data;
  wasi_messaging_types_method_message_data(lent, &data);
  wasi_messaging_types_topic_t topic;
  std::string name = wasi_messaging_types_method_message_topic(lent, &topic) ? text_of(topic) : "?";
  wasi_messaging_types_metadata_t metadata;
  std::string key;
  if (wasi_messaging_types_method_message_metadata(lent, &metadata)) {
    for (std::size_t i = 0; i < metadata.len; ++i) {
      if (text_of(metadata.ptr[i].f0) == "key") key = text_of(metadata.ptr[i].f1);
    }
  }
  std::string body = text_of(data);
  count("w/" + name + "/" + body + "/" + key);
  if (body == "reject") {
    error->tag = WASI_MESSAGING_TYPES_ERROR_PERMISSION_DENIED;
    guest_string_dup(&error->val.permission_denied, "never again");
    return false;
  }
  std::string text = name + ": " + body;
  guest_list_u8_t answer{reinterpret_cast<std::uint8_t*>(text.data()), text.size()};
  auto reply = wasi_messaging_types_constructor_message(&answer);
  wasi_messaging_types_error_t wrong;
  wasi_messaging_request_reply_reply(lent, reply, &wrong);
  wasi_messaging_types_message_drop_own(message);
  return true;
}
