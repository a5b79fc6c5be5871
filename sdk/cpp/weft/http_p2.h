// wasi:http 0.2 for guests: one handler, its request and its response.
//
// Over the C bindings of a world `guest` that exports wasi:http/incoming-handler. A guest includes
// this in one source file and defines weft::http::handle. Everything blocks: a 0.2 instance serves
// one request at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "guest.h"

namespace weft::http {

using Bytes = std::span<const std::uint8_t>;

inline Bytes bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// What the client sent. The body is read piece by piece.
class Request {
 public:
  explicit Request(wasi_http_types_own_incoming_request_t handle) : handle_(handle) {
    guest_string_t path;
    if (wasi_http_types_method_incoming_request_path_with_query(borrow(), &path)) {
      path_.assign(reinterpret_cast<const char*>(path.ptr), path.len);
      guest_string_free(&path);
    }
  }
  Request(const Request&) = delete;
  ~Request() {
    if (stream_) {
      wasi_io_streams_input_stream_drop_own(*stream_);
      wasi_http_types_incoming_body_drop_own(body_);
    }
    wasi_http_types_incoming_request_drop_own(handle_);
  }

  // Without the query.
  std::string_view path() const { return std::string_view(path_).substr(0, path_.find('?')); }
  // The value of one query parameter, as it stands.
  std::string_view query(std::string_view name) const {
    std::string_view rest = path_;
    for (auto mark = rest.find_first_of("?&"); mark != rest.npos; mark = rest.find('&')) {
      rest.remove_prefix(mark + 1);
      if (rest.starts_with(name) && rest.substr(name.size()).starts_with('=')) {
        rest.remove_prefix(name.size() + 1);
        return rest.substr(0, rest.find('&'));
      }
    }
    return {};
  }
  // One of WASI_HTTP_TYPES_METHOD_*.
  std::uint8_t method() const {
    wasi_http_types_method_t method;
    wasi_http_types_method_incoming_request_method(borrow(), &method);
    std::uint8_t tag = method.tag;
    wasi_http_types_method_free(&method);
    return tag;
  }

  // The next piece of the body, at most `most` bytes; nothing at its end. Blocks until there is
  // some.
  std::optional<std::string> read(std::uint64_t most = 64 * 1024) {
    if (!stream_ && !open()) return std::nullopt;
    guest_list_u8_t piece;
    wasi_io_streams_stream_error_t error;
    auto stream = wasi_io_streams_borrow_input_stream(*stream_);
    if (!wasi_io_streams_method_input_stream_blocking_read(stream, most, &piece, &error)) {
      wasi_io_streams_stream_error_free(&error);
      return std::nullopt;
    }
    std::string out(reinterpret_cast<const char*>(piece.ptr), piece.len);
    guest_list_u8_free(&piece);
    return out;
  }
  // The rest of the body.
  std::string read_all() {
    std::string all;
    while (auto piece = read()) all += *piece;
    return all;
  }

 private:
  wasi_http_types_borrow_incoming_request_t borrow() const {
    return wasi_http_types_borrow_incoming_request(handle_);
  }
  bool open() {
    if (!wasi_http_types_method_incoming_request_consume(borrow(), &body_)) return false;
    wasi_io_streams_own_input_stream_t stream;
    if (!wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body_),
                                                     &stream)) {
      wasi_http_types_incoming_body_drop_own(body_);
      return false;
    }
    stream_ = stream;
    return true;
  }

  wasi_http_types_own_incoming_request_t handle_;
  std::string path_;
  wasi_http_types_own_incoming_body_t body_{};
  std::optional<wasi_io_streams_own_input_stream_t> stream_;
};

// A response whose head is on its way. Its destructor ends the body.
class Response {
 public:
  Response(wasi_http_types_own_response_outparam_t out, std::uint16_t status,
           std::string_view content_type = "text/plain") {
    auto fields = wasi_http_types_constructor_fields();
    guest_string_t name{const_cast<std::uint8_t*>(bytes("content-type").data()), 12};
    wasi_http_types_field_value_t value{const_cast<std::uint8_t*>(bytes(content_type).data()),
                                        content_type.size()};
    wasi_http_types_header_error_t refused;
    wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(fields), &name, &value,
                                         &refused);
    auto head = wasi_http_types_constructor_outgoing_response(fields);
    auto borrowed = wasi_http_types_borrow_outgoing_response(head);
    wasi_http_types_method_outgoing_response_set_status_code(borrowed, status);
    wasi_http_types_method_outgoing_response_body(borrowed, &body_);
    wasi_http_types_result_own_outgoing_response_error_code_t result{};
    result.val.ok = head;
    wasi_http_types_static_response_outparam_set(out, &result);
    wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body_),
                                               &stream_);
  }
  Response(const Response&) = delete;
  ~Response() {
    wasi_io_streams_output_stream_drop_own(stream_);
    wasi_http_types_error_code_t error;
    if (!wasi_http_types_static_outgoing_body_finish(body_, nullptr, &error)) {
      wasi_http_types_error_code_free(&error);
    }
  }

  // Sends all of it, waiting where the client is slow. False when the client is gone.
  bool write(Bytes data) {
    while (!data.empty()) {
      std::uint64_t room = 0;
      wasi_io_streams_stream_error_t error;
      if (!wasi_io_streams_method_output_stream_check_write(stream(), &room, &error)) {
        return gone(error);
      }
      if (room == 0) {
        auto ready = wasi_io_streams_method_output_stream_subscribe(stream());
        wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(ready));
        wasi_io_poll_pollable_drop_own(ready);
        continue;
      }
      auto now = data.first(room < data.size() ? static_cast<std::size_t>(room) : data.size());
      guest_list_u8_t list{const_cast<std::uint8_t*>(now.data()), now.size()};
      if (!wasi_io_streams_method_output_stream_write(stream(), &list, &error)) return gone(error);
      data = data.subspan(now.size());
    }
    return true;
  }
  bool write(std::string_view text) { return write(bytes(text)); }
  // Waits until what was written is on its way to the client.
  bool flush() {
    wasi_io_streams_stream_error_t error;
    if (wasi_io_streams_method_output_stream_blocking_flush(stream(), &error)) return true;
    return gone(error);
  }

 private:
  wasi_io_streams_borrow_output_stream_t stream() const {
    return wasi_io_streams_borrow_output_stream(stream_);
  }
  static bool gone(wasi_io_streams_stream_error_t& error) {
    wasi_io_streams_stream_error_free(&error);
    return false;
  }

  wasi_http_types_own_outgoing_body_t body_{};
  wasi_io_streams_own_output_stream_t stream_{};
};

// Where a response goes: taken by its Response.
using Out = wasi_http_types_own_response_outparam_t;

// The guest's handler.
void handle(Request& request, Out out);

}  // namespace weft::http

extern "C" void exports_wasi_http_incoming_handler_handle(
    exports_wasi_http_incoming_handler_own_incoming_request_t request,
    exports_wasi_http_incoming_handler_own_response_outparam_t out) {
  weft::http::Request incoming(request);
  weft::http::handle(incoming, out);
}
