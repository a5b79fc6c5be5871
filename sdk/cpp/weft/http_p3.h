// wasi:http 0.3 for guests: one coroutine per request.
//
// Over the C bindings of a world `guest` that exports wasi:http/handler. A guest includes this in
// one source file and defines weft::http::handle. One instance serves many requests at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "guest.h"
#include "weft/async.h"

namespace weft::http {

// What the client sent. Reading the body uses the request up.
class Request {
 public:
  explicit Request(wasi_http_types_own_request_t handle) : handle_(handle) {}
  Request(Request&& other) noexcept : handle_(std::exchange(other.handle_, std::nullopt)) {}
  ~Request() {
    if (handle_) wasi_http_types_request_drop_own(*handle_);
  }

  std::string path_with_query() const {
    guest_string_t text;
    auto self = wasi_http_types_borrow_request(*handle_);
    if (!wasi_http_types_method_request_get_path_with_query(self, &text)) return "/";
    std::string out(reinterpret_cast<const char*>(text.ptr), text.len);
    guest_string_free(&text);
    return out;
  }
  wasi_http_types_own_request_t release() { return *std::exchange(handle_, std::nullopt); }

 private:
  std::optional<wasi_http_types_own_request_t> handle_;
};

// The bytes of a request as they come.
class BodyReader {
 public:
  explicit BodyReader(Request request) {
    // The host hears through `outcome_` what became of the body here: finish() says it.
    auto result = wasi_http_types_future_result_void_error_code_new(&outcome_);
    wasi_http_types_tuple2_stream_u8_future_result_option_own_trailers_error_code_t body;
    wasi_http_types_static_request_consume_body(request.release(), result, &body);
    stream_ = body.f0;
    trailers_ = body.f1;
  }
  BodyReader(const BodyReader&) = delete;

  // The next bytes into `buffer`; 0 at the end.
  Task<std::size_t> read(std::uint8_t* buffer, std::size_t size) {
    if (ended_) co_return 0;
    auto status = co_await Io{stream_, wasi_http_types_stream_u8_read(stream_, buffer, size)};
    ended_ = GUEST_WAITABLE_STATE(status) != GUEST_WAITABLE_COMPLETED;
    co_return GUEST_WAITABLE_COUNT(status);
  }
  // Lets go of the body and says that all went well.
  Task<> finish() {
    wasi_http_types_stream_u8_drop_readable(stream_);
    wasi_http_types_future_result_option_own_trailers_error_code_drop_readable(trailers_);
    wasi_http_types_result_void_error_code_t fine{};
    co_await Io{outcome_, wasi_http_types_future_result_void_error_code_write(outcome_, &fine)};
    wasi_http_types_future_result_void_error_code_drop_writable(outcome_);
  }

 private:
  wasi_http_types_stream_u8_t stream_;
  wasi_http_types_future_result_option_own_trailers_error_code_t trailers_;
  wasi_http_types_future_result_void_error_code_writer_t outcome_;
  bool ended_ = false;
};

// A response whose head goes out when it is made. It ends with finish().
class Response {
 public:
  explicit Response(std::uint16_t status = 200) {
    auto stream = wasi_http_types_stream_u8_new(&body_);
    auto trailers = wasi_http_types_future_result_option_own_trailers_error_code_new(&trailers_);
    wasi_http_types_tuple2_own_response_future_result_void_error_code_t made;
    wasi_http_types_static_response_new(wasi_http_types_constructor_fields(), &stream, trailers,
                                        &made);
    sent_ = made.f1;
    wasi_http_types_method_response_set_status_code(wasi_http_types_borrow_response(made.f0),
                                                    status);
    exports_wasi_http_handler_result_own_response_error_code_t result{};
    result.val.ok = made.f0;
    exports_wasi_http_handler_handle_return(result);
  }
  Response(const Response&) = delete;

  // Sends all of it. False when the client is gone.
  Task<bool> write(const std::uint8_t* data, std::size_t size) {
    while (size != 0) {
      auto status = co_await Io{body_, wasi_http_types_stream_u8_write(body_, data, size)};
      auto count = GUEST_WAITABLE_COUNT(status);
      data += count;
      size -= count;
      if (GUEST_WAITABLE_STATE(status) != GUEST_WAITABLE_COMPLETED) co_return size == 0;
    }
    co_return true;
  }
  // `text` must outlive the write.
  Task<bool> write(std::string_view text) {
    co_return co_await write(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  }
  Task<> finish() {
    wasi_http_types_stream_u8_drop_writable(body_);
    wasi_http_types_result_option_own_trailers_error_code_t none{};
    auto write = wasi_http_types_future_result_option_own_trailers_error_code_write;
    co_await Io{trailers_, write(trailers_, &none)};
    wasi_http_types_future_result_option_own_trailers_error_code_drop_writable(trailers_);
    wasi_http_types_future_result_void_error_code_drop_readable(sent_);
  }

 private:
  wasi_http_types_stream_u8_writer_t body_{};
  wasi_http_types_future_result_option_own_trailers_error_code_writer_t trailers_{};
  wasi_http_types_future_result_void_error_code_t sent_{};
};

// The guest's handler: makes a Response and finishes it.
Task<> handle(Request request);

}  // namespace weft::http

extern "C" guest_callback_code_t exports_wasi_http_handler_handle(
    exports_wasi_http_handler_own_request_t request) {
  return weft::run_export([&] { return weft::http::handle(weft::http::Request(request)); });
}

extern "C" guest_callback_code_t exports_wasi_http_handler_handle_callback(guest_event_t* event) {
  return weft::continue_export(event);
}
