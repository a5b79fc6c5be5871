// wasi:http 0.2 for guests: one handler, its request and its response.
//
// Over the C bindings of a world that exports wasi:http/incoming-handler. A guest defines
// weft::http::handle. Everything blocks: a 0.2 instance serves one request at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "weft/http_common.h"

namespace weft::http {

// The bytes of a message as they come. Closed with it.
class Body {
 public:
  Body(wasi_http_types_own_incoming_body_t body, wasi_io_streams_own_input_stream_t stream)
      : body_(body), stream_(stream) {}
  // Nothing: the message has no body that could be read.
  static std::optional<Body> open(wasi_http_types_own_incoming_body_t body) {
    wasi_io_streams_own_input_stream_t stream;
    if (wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body),
                                                    &stream)) {
      return Body(body, stream);
    }
    wasi_http_types_incoming_body_drop_own(body);
    return std::nullopt;
  }
  Body(Body&& other) noexcept
      : body_(other.body_),
        stream_(other.stream_),
        broken_(other.broken_),
        open_(std::exchange(other.open_, false)) {}
  Body& operator=(Body&&) = delete;
  ~Body() {
    if (!open_) return;
    wasi_io_streams_input_stream_drop_own(stream_);
    wasi_http_types_incoming_body_drop_own(body_);
  }

  // The next piece, at most `most` bytes; nothing at the end. Blocks until there is some.
  std::optional<std::string> read(std::uint64_t most = 64 * 1024) {
    guest_list_u8_t piece;
    wasi_io_streams_stream_error_t error;
    auto stream = wasi_io_streams_borrow_input_stream(stream_);
    if (!wasi_io_streams_method_input_stream_blocking_read(stream, most, &piece, &error)) {
      broken_ = error.tag != WASI_IO_STREAMS_STREAM_ERROR_CLOSED;
      wasi_io_streams_stream_error_free(&error);
      return std::nullopt;
    }
    std::string out(detail::view(piece));
    guest_list_u8_free(&piece);
    return out;
  }
  // All that is left of it. kUnreachable when it broke off, kTooLong when it is longer than `most`.
  Result<std::string> read_all(std::size_t most = 16 * 1024 * 1024) {
    std::string all;
    while (auto piece = read()) {
      if (piece->size() > most - all.size()) {
        return failure(Code::kTooLong, "the body has more than " + std::to_string(most) + " bytes");
      }
      all += *piece;
    }
    if (broken_) return failure(Code::kUnreachable, "the body broke off");
    return all;
  }
  // Whether the end that was read is not the body's own.
  bool broken() const { return broken_; }

 private:
  wasi_http_types_own_incoming_body_t body_;
  wasi_io_streams_own_input_stream_t stream_;
  bool broken_ = false;
  bool open_ = true;
};

// What the client sent. The body is read piece by piece.
class Request {
 public:
  explicit Request(wasi_http_types_own_incoming_request_t handle) : handle_(handle) {
    guest_string_t path;
    if (wasi_http_types_method_incoming_request_path_with_query(borrow(), &path)) {
      path_.assign(detail::view(path));
      guest_string_free(&path);
    }
  }
  Request(const Request&) = delete;
  ~Request() {
    body_.reset();
    wasi_http_types_incoming_request_drop_own(handle_);
  }

  // "GET"
  std::string method() const {
    wasi_http_types_method_t method;
    wasi_http_types_method_incoming_request_method(borrow(), &method);
    return detail::take_method(method);
  }
  // Whether it came over TLS.
  bool secure() const {
    wasi_http_types_scheme_t scheme;
    if (!wasi_http_types_method_incoming_request_scheme(borrow(), &scheme)) return false;
    bool secure = scheme.tag == WASI_HTTP_TYPES_SCHEME_HTTPS;
    wasi_http_types_scheme_free(&scheme);
    return secure;
  }
  std::string_view path_with_query() const { return path_; }
  // As it stands, without the query: decode() makes text of it.
  std::string_view path() const { return std::string_view(path_).substr(0, path_.find('?')); }
  // A parameter of the query, decoded; nothing when it is not there.
  std::optional<std::string> parameter(std::string_view name) const {
    auto found = detail::find_query(path_, name);
    return found ? std::optional(decode(*found, true)) : std::nullopt;
  }
  // The same as it stands; empty when it is not there.
  std::string_view query(std::string_view name) const {
    return detail::find_query(path_, name).value_or(std::string_view());
  }
  std::optional<std::string> header(std::string_view name) const {
    return detail::take_field(wasi_http_types_method_incoming_request_headers(borrow()), name);
  }
  Headers headers() const {
    return detail::take_fields(wasi_http_types_method_incoming_request_headers(borrow()));
  }

  // The next piece of the body, at most `most` bytes; nothing at its end. Blocks until there is
  // some.
  std::optional<std::string> read(std::uint64_t most = 64 * 1024) {
    return open() ? body_->read(most) : std::nullopt;
  }
  // The rest of the body.
  Result<std::string> read_all(std::size_t most = 16 * 1024 * 1024) {
    return open() ? body_->read_all(most) : std::string();
  }

 private:
  wasi_http_types_borrow_incoming_request_t borrow() const {
    return wasi_http_types_borrow_incoming_request(handle_);
  }
  bool open() {
    if (body_) return true;
    wasi_http_types_own_incoming_body_t body;
    if (!wasi_http_types_method_incoming_request_consume(borrow(), &body)) return false;
    if (auto opened = Body::open(body)) body_.emplace(*std::move(opened));
    return body_.has_value();
  }

  wasi_http_types_own_incoming_request_t handle_;
  std::string path_;
  std::optional<Body> body_;
};

// The sending side of a message's body. Its destructor ends the body.
class Writer {
 public:
  explicit Writer(wasi_http_types_own_outgoing_body_t body) : body_(body) {
    wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body_),
                                               &stream_);
  }
  Writer(const Writer&) = delete;
  ~Writer() {
    wasi_io_streams_output_stream_drop_own(stream_);
    wasi_http_types_error_code_t error;
    if (!wasi_http_types_static_outgoing_body_finish(body_, nullptr, &error)) {
      wasi_http_types_error_code_free(&error);
    }
  }

  // Sends all of it, waiting where the other side is slow. False when it takes no more.
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
  // Waits until what was written is on its way.
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

  wasi_http_types_own_outgoing_body_t body_;
  wasi_io_streams_own_output_stream_t stream_{};
};

// Where a response goes: taken by its Response.
using Out = wasi_http_types_own_response_outparam_t;

// A response whose head is on its way. Its destructor ends the body.
class Response {
 public:
  Response(Out out, std::uint16_t status, std::string_view content_type = "text/plain")
      : Response(out, status, Headers{{"content-type", std::string(content_type)}}) {}
  Response(Out out, std::uint16_t status, const Headers& headers)
      : writer_(start(out, status, headers)) {}
  Response(const Response&) = delete;

  // Sends all of it, waiting where the client is slow. False when the client is gone.
  bool write(Bytes data) { return writer_.write(data); }
  bool write(std::string_view text) { return writer_.write(text); }
  // Waits until what was written is on its way to the client.
  bool flush() { return writer_.flush(); }

 private:
  static wasi_http_types_own_outgoing_body_t start(Out out, std::uint16_t status,
                                                   const Headers& headers) {
    auto head = wasi_http_types_constructor_outgoing_response(detail::make_fields(headers));
    auto borrowed = wasi_http_types_borrow_outgoing_response(head);
    wasi_http_types_method_outgoing_response_set_status_code(borrowed, status);
    wasi_http_types_own_outgoing_body_t body{};
    wasi_http_types_method_outgoing_response_body(borrowed, &body);
    wasi_http_types_result_own_outgoing_response_error_code_t result{};
    result.val.ok = head;
    wasi_http_types_static_response_outparam_set(out, &result);
    return body;
  }

  Writer writer_;
};

// Answers with one text.
inline void reply(Out out, std::uint16_t status, std::string_view text,
                  std::string_view content_type = "text/plain; charset=utf-8") {
  Response(out, status, content_type).write(text);
}

// The guest's handler: makes a Response, once.
void handle(Request& request, Out out);

}  // namespace weft::http

// Weak, so that several sources may include this.
extern "C" [[gnu::weak]] void exports_wasi_http_incoming_handler_handle(
    exports_wasi_http_incoming_handler_own_incoming_request_t request,
    exports_wasi_http_incoming_handler_own_response_outparam_t out) {
  weft::http::Request incoming(request);
  weft::http::handle(incoming, out);
}
