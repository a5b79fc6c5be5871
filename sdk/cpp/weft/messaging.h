// wasi:messaging: messages of topics, sent to a broker that keeps them for who wants them.
//
// A broker is one of `uses.messaging` in weft.toml; the empty name is the default one. What is sent
// is kept when `send` has returned well.
//
//   auto broker = messaging::open("");
//   if (!broker) return broker.error();
//   auto sent = broker->send("orders.new", {.data = order, .metadata = {{"key", customer}}});
//
// To be woken by messages: weft/message_handler.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/result.h"

#ifndef WASI_MESSAGING_TYPES_ERROR_TIMEOUT
#error "the world neither imports wasi:messaging/producer@0.2.0-draft nor exports its handler"
#endif

namespace weft::messaging {

struct Message {
  std::string data = {};
  std::optional<std::string> content_type = {};
  // Names may come several times. By "key" messages are in order where a trigger says so.
  std::vector<std::pair<std::string, std::string>> metadata = {};
};

namespace detail {

inline std::unexpected<Error> taken(wasi_messaging_types_error_t& error) {
  if (error.tag == WASI_MESSAGING_TYPES_ERROR_TIMEOUT) {
    return failure(Code::kTimeout, "the broker did not answer in time");
  }
  Code code = Code::kOther;
  if (error.tag == WASI_MESSAGING_TYPES_ERROR_CONNECTION) code = Code::kUnreachable;
  if (error.tag == WASI_MESSAGING_TYPES_ERROR_PERMISSION_DENIED) code = Code::kDenied;
  std::string message(weft::detail::view(error.val.other));
  wasi_messaging_types_error_free(&error);
  return failure(code, std::move(message));
}

inline wasi_messaging_types_own_message_t made(const Message& message) {
  Bytes data = bytes(message.data);
  guest_list_u8_t list{const_cast<std::uint8_t*>(data.data()), data.size()};
  auto handle = wasi_messaging_types_constructor_message(&list);
  auto self = wasi_messaging_types_borrow_message(handle);
  if (message.content_type) {
    auto type = weft::detail::lend(*message.content_type);
    wasi_messaging_types_method_message_set_content_type(self, &type);
  }
  for (const auto& [key, value] : message.metadata) {
    auto name = weft::detail::lend(key);
    auto text = weft::detail::lend(value);
    wasi_messaging_types_method_message_add_metadata(self, &name, &text);
  }
  return handle;
}

}  // namespace detail

// A way to one broker, until it goes.
class Broker {
 public:
  explicit Broker(wasi_messaging_types_own_client_t handle) : handle_(handle) {}
  Broker(Broker&& other) noexcept : handle_(std::exchange(other.handle_, {0})) {}
  Broker& operator=(Broker&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Broker() {
    if (handle_.__handle != 0) wasi_messaging_types_client_drop_own(handle_);
  }

  // Waits until the broker keeps it.
  Result<> send(std::string_view topic, const Message& message) {
    auto name = weft::detail::lend(topic);
    wasi_messaging_types_error_t error;
    if (wasi_messaging_producer_send(wasi_messaging_types_borrow_client(handle_), &name,
                                     detail::made(message), &error)) {
      return {};
    }
    return detail::taken(error);
  }

 private:
  wasi_messaging_types_own_client_t handle_;
};

// kDenied for a name that is not granted.
inline Result<Broker> open(std::string_view name = "") {
  auto text = weft::detail::lend(name);
  wasi_messaging_types_own_client_t client;
  wasi_messaging_types_error_t error;
  if (wasi_messaging_types_static_client_connect(&text, &client, &error)) return Broker(client);
  return detail::taken(error);
}

}  // namespace weft::messaging
