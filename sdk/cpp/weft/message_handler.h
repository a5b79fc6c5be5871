// wasi:messaging for components that are woken by messages, [[trigger.message]] in weft.toml.
//
// Over the C bindings of a world that exports wasi:messaging/incoming-handler@0.2.0-draft. A guest
// defines weft::messaging::handle. What it returns decides: success is done with the message, a
// failure brings it again, and one with Code::kDenied makes it a dead letter at once.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "weft/messaging.h"

namespace weft::messaging {

// A message that woke the component.
struct Incoming {
  std::string topic = {};
  Message message = {};

  // The first value under that name.
  std::optional<std::string> metadata(std::string_view name) const {
    for (const auto& [key, value] : message.metadata) {
      if (key == name) return value;
    }
    return std::nullopt;
  }
};

// The guest's handler.
Result<> handle(const Incoming& incoming);

namespace detail {

inline Incoming read(wasi_messaging_types_borrow_message_t self) {
  Incoming incoming;
  wasi_messaging_types_topic_t topic;
  if (wasi_messaging_types_method_message_topic(self, &topic)) {
    incoming.topic = weft::detail::view(topic);
    wasi_messaging_types_topic_free(&topic);
  }
  guest_list_u8_t data;
  wasi_messaging_types_method_message_data(self, &data);
  incoming.message.data = weft::detail::view(data);
  guest_list_u8_free(&data);
  guest_string_t type;
  if (wasi_messaging_types_method_message_content_type(self, &type)) {
    incoming.message.content_type = std::string(weft::detail::view(type));
    guest_string_free(&type);
  }
  wasi_messaging_types_metadata_t metadata;
  if (wasi_messaging_types_method_message_metadata(self, &metadata)) {
    for (std::size_t i = 0; i < metadata.len; ++i) {
      incoming.message.metadata.emplace_back(weft::detail::view(metadata.ptr[i].f0),
                                             weft::detail::view(metadata.ptr[i].f1));
    }
    wasi_messaging_types_metadata_free(&metadata);
  }
  return incoming;
}

}  // namespace detail
}  // namespace weft::messaging

// Weak, so that several sources may include this.
extern "C" [[gnu::weak]] bool exports_wasi_messaging_incoming_handler_handle(
    exports_wasi_messaging_incoming_handler_own_message_t message,
    exports_wasi_messaging_incoming_handler_error_t* error) {
  auto incoming = weft::messaging::detail::read(wasi_messaging_types_borrow_message(message));
  wasi_messaging_types_message_drop_own(message);
  weft::Result<> done = weft::messaging::handle(incoming);
  if (done) return true;
  bool never = done.error().code == weft::Code::kDenied;
  error->tag =
      never ? WASI_MESSAGING_TYPES_ERROR_PERMISSION_DENIED : WASI_MESSAGING_TYPES_ERROR_OTHER;
  guest_string_dup_n(never ? &error->val.permission_denied : &error->val.other,
                     done.error().message.data(), done.error().message.size());
  return false;
}
