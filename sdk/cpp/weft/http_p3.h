// wasi:http 0.3 for guests: one coroutine per request.
//
// Over the C bindings of a world that exports wasi:http/handler. A guest defines
// weft::http::handle. One instance serves many requests at once: while a coroutine waits, others
// run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/async.h"
#include "weft/http_common.h"

namespace weft::http {

namespace detail {

using Trailers = wasi_http_types_future_result_option_own_trailers_error_code_t;
using TrailersWriter = wasi_http_types_future_result_option_own_trailers_error_code_writer_t;
using OutcomeWriter = wasi_http_types_future_result_void_error_code_writer_t;

// Tells the host that its message was taken well.
inline Task<> tell_fine(OutcomeWriter outcome) {
  wasi_http_types_result_void_error_code_t fine{};
  co_await Io{outcome, wasi_http_types_future_result_void_error_code_write(outcome, &fine)};
  wasi_http_types_future_result_void_error_code_drop_writable(outcome);
}

// Ends a message: it has no trailers.
inline Task<> tell_no_trailers(TrailersWriter trailers) {
  wasi_http_types_result_option_own_trailers_error_code_t none{};
  auto write = wasi_http_types_future_result_option_own_trailers_error_code_write;
  co_await Io{trailers, write(trailers, &none)};
  wasi_http_types_future_result_option_own_trailers_error_code_drop_writable(trailers);
}

}  // namespace detail

// The bytes of a message as they come. Its destructor lets the rest of them go.
class Body {
 public:
  Body(wasi_http_types_stream_u8_t stream, detail::Trailers trailers, detail::OutcomeWriter outcome)
      : stream_(stream), trailers_(trailers), outcome_(outcome) {}
  Body(Body&& other) noexcept
      : stream_(other.stream_),
        trailers_(other.trailers_),
        outcome_(other.outcome_),
        fields_(std::move(other.fields_)),
        ended_(other.ended_),
        open_(std::exchange(other.open_, false)) {}
  Body& operator=(Body&&) = delete;
  ~Body() {
    if (!open_) return;
    wasi_http_types_stream_u8_drop_readable(stream_);
    wasi_http_types_future_result_option_own_trailers_error_code_drop_readable(trailers_);
    detail::tell_fine(outcome_).detach();
  }

  // The next bytes into `buffer`; 0 at the end.
  Task<std::size_t> read(std::uint8_t* buffer, std::size_t size) {
    if (ended_) co_return 0;
    auto status = co_await Io{stream_, wasi_http_types_stream_u8_read(stream_, buffer, size)};
    ended_ = GUEST_WAITABLE_STATE(status) != GUEST_WAITABLE_COMPLETED;
    co_return GUEST_WAITABLE_COUNT(status);
  }
  // The next piece, at most `most` bytes of it; nothing at the end.
  Task<std::optional<std::string>> read(std::size_t most = 64 * 1024) {
    auto buffer = std::make_unique_for_overwrite<std::uint8_t[]>(most);
    auto count = co_await read(buffer.get(), most);
    if (count == 0) co_return std::nullopt;
    co_return std::string(reinterpret_cast<const char*>(buffer.get()), count);
  }
  // All that is left of it. kUnreachable when it broke off, kTooLong when it is longer than `most`.
  Task<Result<std::string>> read_all(std::size_t most = 16 * 1024 * 1024) {
    std::string all;
    constexpr std::size_t kPiece = 64 * 1024;
    auto buffer = std::make_unique_for_overwrite<std::uint8_t[]>(kPiece);
    while (auto count = co_await read(buffer.get(), kPiece)) {
      if (count > most - all.size()) {
        co_return failure(Code::kTooLong,
                          "the body has more than " + std::to_string(most) + " bytes");
      }
      all.append(reinterpret_cast<const char*>(buffer.get()), count);
    }
    auto whole = co_await finish();
    if (!whole) co_return std::unexpected(std::move(whole).error());
    co_return all;
  }
  // Lets go of it, after the last read. An error when its sender broke it off.
  Task<Result<>> finish() {
    if (!std::exchange(open_, false)) co_return Result<>{};
    wasi_http_types_stream_u8_drop_readable(stream_);
    Result<> whole;
    if (ended_) {
      wasi_http_types_result_option_own_trailers_error_code_t end;
      auto read = wasi_http_types_future_result_option_own_trailers_error_code_read;
      co_await Io{trailers_, read(trailers_, &end)};
      if (end.is_err) {
        whole = detail::taken(end.val.err);
      } else if (end.val.ok.is_some) {
        fields_ = detail::take_fields(end.val.ok.val);
      }
    }
    wasi_http_types_future_result_option_own_trailers_error_code_drop_readable(trailers_);
    co_await detail::tell_fine(outcome_);
    co_return whole;
  }
  // What followed it: known after finish or read_all.
  const Headers& trailers() const { return fields_; }

 private:
  wasi_http_types_stream_u8_t stream_;
  detail::Trailers trailers_;
  detail::OutcomeWriter outcome_;
  Headers fields_;
  bool ended_ = false;
  bool open_ = true;
};

// What the client sent.
class Request {
 public:
  explicit Request(wasi_http_types_own_request_t handle) : handle_(handle) {}
  Request(Request&& other) noexcept : handle_(std::exchange(other.handle_, std::nullopt)) {}
  Request& operator=(Request&&) = delete;
  ~Request() {
    if (handle_) wasi_http_types_request_drop_own(*handle_);
  }

  // "GET"
  std::string method() const {
    wasi_http_types_method_t method;
    wasi_http_types_method_request_get_method(borrow(), &method);
    return detail::take_method(method);
  }
  // Whether it came over TLS.
  bool secure() const {
    wasi_http_types_scheme_t scheme;
    if (!wasi_http_types_method_request_get_scheme(borrow(), &scheme)) return false;
    bool secure = scheme.tag == WASI_HTTP_TYPES_SCHEME_HTTPS;
    wasi_http_types_scheme_free(&scheme);
    return secure;
  }
  std::string path_with_query() const {
    guest_string_t text;
    if (!wasi_http_types_method_request_get_path_with_query(borrow(), &text)) return "/";
    std::string out(detail::view(text));
    guest_string_free(&text);
    return out;
  }
  // As it stands, without the query: decode() makes text of it.
  std::string path() const {
    std::string path = path_with_query();
    if (auto end = path.find('?'); end != path.npos) path.resize(end);
    return path;
  }
  // A parameter of the query, decoded; nothing when it is not there.
  std::optional<std::string> parameter(std::string_view name) const {
    std::string path = path_with_query();
    auto found = detail::find_query(path, name);
    return found ? std::optional(decode(*found, true)) : std::nullopt;
  }
  std::optional<std::string> header(std::string_view name) const {
    return detail::take_field(wasi_http_types_method_request_get_headers(borrow()), name);
  }
  Headers headers() const {
    return detail::take_fields(wasi_http_types_method_request_get_headers(borrow()));
  }
  // Uses the request up: ask it for the rest before.
  Body body() && {
    detail::OutcomeWriter outcome;
    auto result = wasi_http_types_future_result_void_error_code_new(&outcome);
    wasi_http_types_tuple2_stream_u8_future_result_option_own_trailers_error_code_t body;
    wasi_http_types_static_request_consume_body(release(), result, &body);
    return Body(body.f0, body.f1, outcome);
  }
  // Gives the handle up, for what the bindings can do beside this.
  wasi_http_types_own_request_t release() { return *std::exchange(handle_, std::nullopt); }

 private:
  wasi_http_types_borrow_request_t borrow() const {
    return wasi_http_types_borrow_request(*handle_);
  }

  std::optional<wasi_http_types_own_request_t> handle_;
};

// The sending side of a message's body. Its destructor ends the body.
class Writer {
 public:
  Writer(wasi_http_types_stream_u8_writer_t body, detail::TrailersWriter trailers)
      : body_(body), trailers_(trailers) {}
  Writer(Writer&& other) noexcept
      : body_(other.body_), trailers_(other.trailers_), open_(std::exchange(other.open_, false)) {}
  Writer& operator=(Writer&&) = delete;
  ~Writer() {
    if (!open_) return;
    wasi_http_types_stream_u8_drop_writable(body_);
    detail::tell_no_trailers(trailers_).detach();
  }

  // Sends all of it. False when nobody takes it any more.
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
  // `text` must outlive the write, as a temporary does in the same co_await expression.
  Task<bool> write(std::string_view text) {
    return write(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  }
  // Ends the body and waits until that is taken.
  Task<> finish() {
    if (!std::exchange(open_, false)) co_return;
    wasi_http_types_stream_u8_drop_writable(body_);
    co_await detail::tell_no_trailers(trailers_);
  }

 private:
  wasi_http_types_stream_u8_writer_t body_;
  detail::TrailersWriter trailers_;
  bool open_ = true;
};

namespace detail {

// The two ends of a body that is written here.
struct NewBody {
  wasi_http_types_stream_u8_t stream;
  Trailers trailers;
  Writer writer;

  static NewBody make() {
    wasi_http_types_stream_u8_writer_t body;
    auto stream = wasi_http_types_stream_u8_new(&body);
    TrailersWriter end;
    auto trailers = wasi_http_types_future_result_option_own_trailers_error_code_new(&end);
    return {stream, trailers, Writer(body, end)};
  }
};

}  // namespace detail

// A response, whose head goes out when it is made. Its body ends with finish(), or with it.
class Response {
 public:
  explicit Response(std::uint16_t status, std::string_view content_type)
      : Response(status, Headers{{"content-type", std::string(content_type)}}) {}
  explicit Response(std::uint16_t status = 200, const Headers& headers = {})
      : writer_(start(status, headers)) {}
  Response(const Response&) = delete;

  // Sends all of it, waiting where the client is slow. False when the client is gone.
  Task<bool> write(const std::uint8_t* data, std::size_t size) { return writer_.write(data, size); }
  // `text` must outlive the write, as a temporary does in the same co_await expression.
  Task<bool> write(std::string_view text) { return writer_.write(text); }
  Task<> finish() { return writer_.finish(); }

 private:
  static Writer start(std::uint16_t status, const Headers& headers) {
    auto body = detail::NewBody::make();
    wasi_http_types_tuple2_own_response_future_result_void_error_code_t made;
    wasi_http_types_static_response_new(detail::make_fields(headers), &body.stream, body.trailers,
                                        &made);
    wasi_http_types_future_result_void_error_code_drop_readable(made.f1);
    wasi_http_types_method_response_set_status_code(wasi_http_types_borrow_response(made.f0),
                                                    status);
    exports_wasi_http_handler_result_own_response_error_code_t result{};
    result.val.ok = made.f0;
    exports_wasi_http_handler_handle_return(result);
    return std::move(body.writer);
  }

  Writer writer_;
};

// Answers with one text.
inline Task<> reply(std::uint16_t status, std::string text,
                    std::string content_type = "text/plain; charset=utf-8") {
  Response response(status, content_type);
  co_await response.write(text);
  co_await response.finish();
}

// The guest's handler: makes a Response, once.
Task<> handle(Request request);

}  // namespace weft::http

// Weak, so that several sources may include this.
extern "C" [[gnu::weak]] guest_callback_code_t exports_wasi_http_handler_handle(
    exports_wasi_http_handler_own_request_t request) {
  return weft::run_export([&] { return weft::http::handle(weft::http::Request(request)); });
}

extern "C" [[gnu::weak]] guest_callback_code_t exports_wasi_http_handler_handle_callback(
    guest_event_t* event) {
  return weft::continue_export(event);
}
