// WASI 0.2 HTTP: a proxy. /send?authority=A&path=P[&scheme=https][&connect=MS][&first=MS]
// [&between=MS] sends the request on, its body as it comes, and answers with what comes back: the
// status, the length where there was one, the body as it comes. A failure is a 502 that names the
// error code. /leave?... sends a request and ends without looking at the response.

#include <cstdlib>
#include <optional>
#include <string>

#include "weft/http_p2.h"

namespace weft::http {
namespace {

guest_string_t borrow(std::string_view text) {
  return {const_cast<std::uint8_t*>(bytes(text).data()), text.size()};
}

void fail(Out out, wasi_http_types_error_code_t& error) {
  std::string text = "error " + std::to_string(error.tag) + "\n";
  wasi_http_types_error_code_free(&error);
  Response(out, 502).write(text);
}

struct Sent {
  wasi_http_types_own_future_incoming_response_t future;
  std::optional<wasi_http_types_own_outgoing_body_t> body;
};

wasi_http_types_own_request_options_t options_of(const Request& request) {
  auto options = wasi_http_types_constructor_request_options();
  auto self = wasi_http_types_borrow_request_options(options);
  auto set = [&](std::string_view name, auto method) {
    auto text = request.query(name);
    if (text.empty()) return;
    wasi_http_types_duration_t time = std::strtoull(std::string(text).c_str(), nullptr, 10);
    time *= 1'000'000;
    method(self, &time);
  };
  set("connect", wasi_http_types_method_request_options_set_connect_timeout);
  set("first", wasi_http_types_method_request_options_set_first_byte_timeout);
  set("between", wasi_http_types_method_request_options_set_between_bytes_timeout);
  return options;
}

std::optional<Sent> send(Request& request, Out out) {
  auto outgoing =
      wasi_http_types_constructor_outgoing_request(wasi_http_types_constructor_fields());
  auto self = wasi_http_types_borrow_outgoing_request(outgoing);
  wasi_http_types_scheme_t scheme{};
  scheme.tag = request.query("scheme") == "https" ? WASI_HTTP_TYPES_SCHEME_HTTPS
                                                  : WASI_HTTP_TYPES_SCHEME_HTTP;
  wasi_http_types_method_outgoing_request_set_scheme(self, &scheme);
  guest_string_t authority = borrow(request.query("authority"));
  guest_string_t path = borrow(request.query("path"));
  Sent sent{};
  wasi_http_types_error_code_t error{};
  if (!wasi_http_types_method_outgoing_request_set_authority(self, &authority) ||
      !wasi_http_types_method_outgoing_request_set_path_with_query(self, &path)) {
    error.tag = WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_URI_INVALID;
    fail(out, error);
    return std::nullopt;
  }
  if (request.method() == "POST") {
    wasi_http_types_method_t method{};
    method.tag = WASI_HTTP_TYPES_METHOD_POST;
    wasi_http_types_method_outgoing_request_set_method(self, &method);
    wasi_http_types_own_outgoing_body_t body;
    wasi_http_types_method_outgoing_request_body(self, &body);
    sent.body = body;
  }
  auto options = options_of(request);
  if (!wasi_http_outgoing_handler_handle(outgoing, &options, &sent.future, &error)) {
    if (sent.body) wasi_http_types_outgoing_body_drop_own(*sent.body);
    fail(out, error);
    return std::nullopt;
  }
  return sent;
}

void block_on(wasi_io_poll_own_pollable_t pollable) {
  wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(pollable));
  wasi_io_poll_pollable_drop_own(pollable);
}

// Sends the request's body on. False: the other side takes no more.
bool upload(Request& request, wasi_http_types_own_outgoing_body_t body) {
  wasi_http_types_own_output_stream_t stream;
  wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body), &stream);
  auto self = wasi_io_streams_borrow_output_stream(stream);
  bool open = true;
  while (open) {
    auto piece = request.read();
    if (!piece) break;
    Bytes data = bytes(*piece);
    while (!data.empty() && open) {
      std::uint64_t room = 0;
      wasi_io_streams_stream_error_t error;
      open = wasi_io_streams_method_output_stream_check_write(self, &room, &error);
      if (open && room == 0) {
        block_on(wasi_io_streams_method_output_stream_subscribe(self));
        continue;
      }
      auto now = data.first(room < data.size() ? static_cast<std::size_t>(room) : data.size());
      guest_list_u8_t list{const_cast<std::uint8_t*>(now.data()), now.size()};
      open = open && wasi_io_streams_method_output_stream_write(self, &list, &error);
      if (!open) wasi_io_streams_stream_error_free(&error);
      data = data.subspan(now.size());
    }
  }
  wasi_io_streams_output_stream_drop_own(stream);
  wasi_http_types_error_code_t error;
  if (!wasi_http_types_static_outgoing_body_finish(body, nullptr, &error)) {
    wasi_http_types_error_code_free(&error);
  }
  return open;
}

void answer(Out out, wasi_http_types_own_incoming_response_t response) {
  auto self = wasi_http_types_borrow_incoming_response(response);
  auto status = wasi_http_types_method_incoming_response_status(self);
  wasi_http_types_own_incoming_body_t body;
  wasi_http_types_method_incoming_response_consume(self, &body);
  wasi_io_streams_own_input_stream_t stream;
  wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body), &stream);
  {
    Response to(out, status, "application/octet-stream");
    for (;;) {
      guest_list_u8_t piece;
      wasi_io_streams_stream_error_t error;
      auto from = wasi_io_streams_borrow_input_stream(stream);
      if (!wasi_io_streams_method_input_stream_blocking_read(from, 64 * 1024, &piece, &error)) {
        bool broken = error.tag != WASI_IO_STREAMS_STREAM_ERROR_CLOSED;
        wasi_io_streams_stream_error_free(&error);
        // Whoever asked must see that the response is not whole.
        if (broken) __builtin_trap();
        break;
      }
      bool taken = to.write(Bytes(piece.ptr, piece.len));
      guest_list_u8_free(&piece);
      if (!taken) break;
    }
  }
  wasi_io_streams_input_stream_drop_own(stream);
  wasi_http_types_incoming_body_drop_own(body);
  wasi_http_types_incoming_response_drop_own(response);
}

}  // namespace

void handle(Request& request, Out out) {
  auto sent = send(request, out);
  if (!sent) return;
  if (sent->body) upload(request, *sent->body);
  auto future = wasi_http_types_borrow_future_incoming_response(sent->future);
  if (request.path() == "/leave") {
    Response(out, 200).write("left\n");
    wasi_http_types_future_incoming_response_drop_own(sent->future);
    return;
  }
  block_on(wasi_http_types_method_future_incoming_response_subscribe(future));
  wasi_http_types_result_result_own_incoming_response_error_code_void_t result;
  wasi_http_types_method_future_incoming_response_get(future, &result);
  if (result.is_err || result.val.ok.is_err) {
    fail(out, result.val.ok.val.err);
  } else {
    answer(out, result.val.ok.val.ok);
  }
  wasi_http_types_future_incoming_response_drop_own(sent->future);
}

}  // namespace weft::http
