// Requests that a component sends itself, where `uses.http` in weft.toml lets it.
//
//   auto answer = co_await weft::http::send({.url = "https://api.example.com/v1/prices"});
//   if (!answer) co_return co_await weft::http::reply(502, answer.error().message);
//   auto prices = co_await answer->body.read_all();
//
// In WASI 0.2 the same without co_await, and with start() and Pending for several at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "weft/http.h"

namespace weft::http {

// A request to send. Only the URL must be there.
struct Outgoing {
  std::string url;  // "https://host:port/path?query"
  std::string method = "GET";
  Headers headers = {};
  std::string body = {};
  // Zero: the host's own.
  std::chrono::nanoseconds connect_timeout = {};
  std::chrono::nanoseconds first_byte_timeout = {};
  std::chrono::nanoseconds between_bytes_timeout = {};
};

// What came back.
struct Incoming {
  std::uint16_t status = 0;
  Headers headers;
  Body body;
};

namespace detail {

// The timeouts that are set; nothing when none is.
inline std::optional<wasi_http_types_own_request_options_t> options_of(const Outgoing& request) {
  if (request.connect_timeout.count() == 0 && request.first_byte_timeout.count() == 0 &&
      request.between_bytes_timeout.count() == 0) {
    return std::nullopt;
  }
  auto options = wasi_http_types_constructor_request_options();
  auto self = wasi_http_types_borrow_request_options(options);
  auto set = [&](std::chrono::nanoseconds time, auto method) {
    if (time.count() <= 0) return;
    auto value = static_cast<wasi_http_types_duration_t>(time.count());
#ifdef GUEST_SUBTASK_STATE
    wasi_http_types_request_options_error_t refused;
    method(self, &value, &refused);
#else
    method(self, &value);
#endif
  };
  set(request.connect_timeout, wasi_http_types_method_request_options_set_connect_timeout);
  set(request.first_byte_timeout, wasi_http_types_method_request_options_set_first_byte_timeout);
  set(request.between_bytes_timeout,
      wasi_http_types_method_request_options_set_between_bytes_timeout);
  return options;
}

inline std::unexpected<Error> bad_url(const std::string& url) {
  return failure(Code::kInvalid, "no URL of http or https: " + url);
}

}  // namespace detail
}  // namespace weft::http

#ifdef GUEST_SUBTASK_STATE
#include "weft/http_client_p3.h"
#else
#include "weft/http_client_p2.h"
#endif
