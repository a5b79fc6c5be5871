// Handles messages by the later wasmcloud:messaging@0.3.0, whose bodies are streams. What it does
// is the second part of the subject, and counted under "s/" with it:
//
//   count    reads the body: "s/count/SIZE/SUM", SUM of its bytes; who asks is answered the same
//            body
//   reject, retry, other   returns that; "twice": retry, the first time
//   unread, half, drop     leaves the body alone, reads its first bytes, drops it at once
//   late     reads it when it has returned, and counts then as well: "s/late/SIZE"
//   nth      the Nth call of its instance: "s/nth/N"
//   publish  "TOPIC SIZE": publishes so many bytes; "s/publish/SIZE/" and "ok" or the error's name
//   ask      "TOPIC SIZE [TIMEOUT]": asks; "s/ask/SIZE/SUM" of the reply, or "s/ask/" and the error
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "guest.h"
#include "weft/async.h"

namespace {

using Stream = wasmcloud_messaging_types_stream_u8_t;
using Writer = wasmcloud_messaging_types_stream_u8_writer_t;
using Answer = exports_wasmcloud_messaging_handler_result_void_handle_message_error_t;

constexpr std::size_t kPiece = 10'000;

guest_string_t lend(std::string_view text) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())), text.size()};
}

std::string text_of(const guest_string_t& text) {
  return {reinterpret_cast<const char*>(text.ptr), text.len};
}

std::uint64_t count(const std::string& key) {
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
  return sum;
}

// Up to the end, or `most`.
weft::Task<std::string> read(Stream stream, std::size_t most) {
  std::vector<std::uint8_t> buffer(kPiece);
  std::string all;
  for (bool more = true; more && all.size() < most;) {
    std::size_t room = std::min(buffer.size(), most - all.size());
    auto started = wasmcloud_messaging_types_stream_u8_read(stream, buffer.data(), room);
    auto status = co_await weft::Io{stream, started};
    all.append(reinterpret_cast<const char*>(buffer.data()), GUEST_WAITABLE_COUNT(status));
    more = GUEST_WAITABLE_STATE(status) == GUEST_WAITABLE_COMPLETED;
  }
  co_return all;
}

weft::Task<std::string> read_all(Stream stream) {
  std::string all = co_await read(stream, SIZE_MAX);
  wasmcloud_messaging_types_stream_u8_drop_readable(stream);
  co_return all;
}

weft::Task<> write(Writer writer, std::string_view data) {
  for (bool more = true; more && !data.empty();) {
    auto started = wasmcloud_messaging_types_stream_u8_write(
        writer, reinterpret_cast<const std::uint8_t*>(data.data()), std::min(kPiece, data.size()));
    auto status = co_await weft::Io{writer, started};
    data.remove_prefix(GUEST_WAITABLE_COUNT(status));
    more = GUEST_WAITABLE_STATE(status) == GUEST_WAITABLE_COMPLETED;
  }
  wasmcloud_messaging_types_stream_u8_drop_writable(writer);
}

std::string size_and_sum(std::string_view data) {
  std::uint32_t sum = 0;
  for (char c : data) sum += static_cast<unsigned char>(c);
  return std::to_string(data.size()) + "/" + std::to_string(sum);
}

std::string made(std::size_t size) {
  std::string data(size, 0);
  for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<char>(i % 251);
  return data;
}

std::string name_of(const wasmcloud_messaging_types_error_t& error) {
  switch (error.tag) {
    case WASMCLOUD_MESSAGING_TYPES_ERROR_SUBJECT_INVALID: return "subject-invalid";
    case WASMCLOUD_MESSAGING_TYPES_ERROR_ACCESS_DENIED: return "access-denied";
    case WASMCLOUD_MESSAGING_TYPES_ERROR_TIMEOUT: return "timeout";
    case WASMCLOUD_MESSAGING_TYPES_ERROR_BROKER_UNAVAILABLE: return "broker-unavailable";
    case WASMCLOUD_MESSAGING_TYPES_ERROR_MESSAGE_TOO_LARGE: return "message-too-large";
    case WASMCLOUD_MESSAGING_TYPES_ERROR_QUOTA_EXCEEDED: return "quota-exceeded";
    default: return text_of(error.val.other);
  }
}

weft::Task<> wait(std::uint32_t status) {
  co_await weft::Subtask{status};
}

// "ok", or the error's name.
weft::Task<std::string> publish(std::string topic, std::string data) {
  Writer writer;
  wasmcloud_messaging_types_broker_message_t message{
      lend(topic), wasmcloud_messaging_types_stream_u8_new(&writer), {}};
  wasmcloud_messaging_consumer_result_void_error_t result;
  auto started = wasmcloud_messaging_consumer_publish(&message, &result);
  co_await weft::when_all(wait(started), write(writer, data));
  co_return result.is_err ? name_of(result.val.err) : "ok";
}

weft::Task<std::string> ask(std::string topic, std::string data, guest_option_u32_t timeout) {
  Writer writer;
  wasmcloud_messaging_consumer_request_args_t arguments{
      lend(topic), wasmcloud_messaging_types_stream_u8_new(&writer), timeout};
  wasmcloud_messaging_consumer_result_broker_message_error_t result;
  auto started = wasmcloud_messaging_consumer_request(&arguments, &result);
  co_await weft::when_all(wait(started), write(writer, data));
  if (result.is_err) co_return name_of(result.val.err);
  co_return size_and_sum(co_await read_all(result.val.ok.body));
}

void finish(Answer answer = {}) {
  exports_wasmcloud_messaging_handler_handle_message_return(answer);
}

void fail(std::uint8_t tag, const char* text = "") {
  Answer answer{};
  answer.is_err = true;
  answer.val.err.tag = tag;
  answer.val.err.val.other = lend(text);
  finish(answer);
}

// What is asked for by "TOPIC SIZE" and maybe one number more.
weft::Task<> command(std::string verb, Stream body) {
  std::string text = co_await read_all(body);
  std::size_t space = text.find(' ');
  std::string topic = text.substr(0, space);
  char* rest = nullptr;
  auto size = std::strtoul(text.c_str() + space, &rest, 10);
  guest_option_u32_t timeout{*rest != 0,
                             static_cast<std::uint32_t>(std::strtoul(rest, nullptr, 10))};
  if (verb == "publish") {
    std::string done = co_await publish(topic, made(size));
    count("s/publish/" + std::to_string(size) + "/" + done);
  } else {
    std::string done = co_await ask(topic, made(size), timeout);
    count("s/ask/" + done);
  }
  finish();
}

weft::Task<> handle(std::string subject, Stream body, std::string reply_to) {
  static int calls = 0;
  ++calls;
  std::string verb = subject.substr(subject.find('.') + 1);
  if (verb == "publish" || verb == "ask") {
    co_await command(verb, body);
    co_return;
  }
  if (verb == "count") {
    std::string data = co_await read_all(body);
    count("s/count/" + size_and_sum(data));
    if (!reply_to.empty()) co_await publish(reply_to, std::move(data));
    co_return finish();
  }
  if (verb == "nth") count("s/nth/" + std::to_string(calls));
  if (verb == "half") count("s/half/" + std::to_string((co_await read(body, 1'000)).size()));
  if (verb == "drop") wasmcloud_messaging_types_stream_u8_drop_readable(body);
  bool first = count("s/" + verb) == 1;
  if (verb == "late") {
    finish();
    std::string data = co_await read_all(body);
    count("s/late/" + std::to_string(data.size()));
    co_return;
  }
  if (verb == "reject") co_return fail(WASMCLOUD_MESSAGING_TYPES_HANDLE_MESSAGE_ERROR_REJECT);
  if (verb == "retry" || (verb == "twice" && first)) {
    co_return fail(WASMCLOUD_MESSAGING_TYPES_HANDLE_MESSAGE_ERROR_RETRY);
  }
  if (verb == "other") {
    co_return fail(WASMCLOUD_MESSAGING_TYPES_HANDLE_MESSAGE_ERROR_OTHER, "I do not want it");
  }
  finish();
}

}  // namespace

extern "C" {

guest_callback_code_t exports_wasmcloud_messaging_handler_handle_message(
    exports_wasmcloud_messaging_handler_broker_message_t* message) {
  std::string reply_to = message->reply_to.is_some ? text_of(message->reply_to.val) : "";
  return weft::run_export(
      [&] { return handle(text_of(message->subject), message->body, std::move(reply_to)); });
}

guest_callback_code_t exports_wasmcloud_messaging_handler_handle_message_callback(
    guest_event_t* event) {
  return weft::continue_export(event);
}

}  // extern "C"
