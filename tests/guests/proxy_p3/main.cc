// WASI 0.3 HTTP: a proxy, as proxy_p2 is: /send?authority=A&path=P[&scheme=https].

#include <string>
#include <string_view>
#include <vector>

#include "weft/http_p3.h"

namespace weft::http {
namespace {

std::string query(std::string_view rest, std::string_view name) {
  for (auto mark = rest.find_first_of("?&"); mark != rest.npos; mark = rest.find('&')) {
    rest.remove_prefix(mark + 1);
    if (rest.starts_with(name) && rest.substr(name.size()).starts_with('=')) {
      rest.remove_prefix(name.size() + 1);
      return std::string(rest.substr(0, rest.find('&')));
    }
  }
  return {};
}

guest_string_t borrow(std::string& text) {
  return {reinterpret_cast<std::uint8_t*>(text.data()), text.size()};
}

bool is_post(wasi_http_types_own_request_t request) {
  wasi_http_types_method_t method;
  wasi_http_types_method_request_get_method(wasi_http_types_borrow_request(request), &method);
  bool post = method.tag == WASI_HTTP_TYPES_METHOD_POST;
  wasi_http_types_method_free(&method);
  return post;
}

using Trailers = wasi_http_types_future_result_option_own_trailers_error_code_writer_t;

// Ends a message: it has no trailers.
Task<> no_trailers(Trailers trailers) {
  wasi_http_types_result_option_own_trailers_error_code_t none{};
  auto write = wasi_http_types_future_result_option_own_trailers_error_code_write;
  co_await Io{trailers, write(trailers, &none)};
  wasi_http_types_future_result_option_own_trailers_error_code_drop_writable(trailers);
}

Task<> upload(Request request, wasi_http_types_stream_u8_writer_t to, Trailers trailers) {
  Body body = std::move(request).body();
  std::vector<std::uint8_t> buffer(64 * 1024);
  bool open = true;
  while (auto count = open ? co_await body.read(buffer.data(), buffer.size()) : 0) {
    const std::uint8_t* data = buffer.data();
    while (count != 0 && open) {
      auto status = co_await Io{to, wasi_http_types_stream_u8_write(to, data, count)};
      data += GUEST_WAITABLE_COUNT(status);
      count -= GUEST_WAITABLE_COUNT(status);
      open = GUEST_WAITABLE_STATE(status) == GUEST_WAITABLE_COMPLETED;
    }
  }
  wasi_http_types_stream_u8_drop_writable(to);
  co_await body.finish();
  co_await no_trailers(trailers);
}

Task<> answer(wasi_http_types_own_response_t response) {
  auto status =
      wasi_http_types_method_response_get_status_code(wasi_http_types_borrow_response(response));
  wasi_http_types_future_result_void_error_code_writer_t outcome;
  auto result = wasi_http_types_future_result_void_error_code_new(&outcome);
  wasi_http_types_tuple2_stream_u8_future_result_option_own_trailers_error_code_t body;
  wasi_http_types_static_response_consume_body(response, result, &body);
  Response to(status);
  std::vector<std::uint8_t> buffer(64 * 1024);
  for (bool more = true; more;) {
    auto read =
        co_await Io{body.f0, wasi_http_types_stream_u8_read(body.f0, buffer.data(), buffer.size())};
    more = GUEST_WAITABLE_STATE(read) == GUEST_WAITABLE_COMPLETED;
    if (!co_await to.write(buffer.data(), GUEST_WAITABLE_COUNT(read))) break;
  }
  wasi_http_types_stream_u8_drop_readable(body.f0);
  wasi_http_types_future_result_option_own_trailers_error_code_drop_readable(body.f1);
  wasi_http_types_result_void_error_code_t fine{};
  co_await Io{outcome, wasi_http_types_future_result_void_error_code_write(outcome, &fine)};
  wasi_http_types_future_result_void_error_code_drop_writable(outcome);
  co_await to.finish();
}

Task<> say(std::uint16_t status, std::string text) {
  Response response(status);
  co_await response.write(text);
  co_await response.finish();
}

}  // namespace

Task<> handle(Request request) {
  std::string asked = request.path_with_query();
  std::string authority = query(asked, "authority");
  std::string path = query(asked, "path");
  auto incoming = request.release();
  bool post = is_post(incoming);

  wasi_http_types_stream_u8_writer_t contents{};
  wasi_http_types_stream_u8_t stream{};
  if (post) stream = wasi_http_types_stream_u8_new(&contents);
  Trailers trailers;
  auto owed = wasi_http_types_future_result_option_own_trailers_error_code_new(&trailers);
  wasi_http_types_tuple2_own_request_future_result_void_error_code_t made;
  wasi_http_types_static_request_new(wasi_http_types_constructor_fields(), post ? &stream : nullptr,
                                     owed, nullptr, &made);
  auto self = wasi_http_types_borrow_request(made.f0);
  wasi_http_types_scheme_t scheme{};
  scheme.tag = query(asked, "scheme") == "https" ? WASI_HTTP_TYPES_SCHEME_HTTPS
                                                 : WASI_HTTP_TYPES_SCHEME_HTTP;
  wasi_http_types_method_request_set_scheme(self, &scheme);
  guest_string_t text = borrow(authority);
  bool fits = wasi_http_types_method_request_set_authority(self, &text);
  text = borrow(path);
  fits = wasi_http_types_method_request_set_path_with_query(self, &text) && fits;
  if (!fits) {
    co_await say(502, "error 19\n");
    co_return;
  }
  if (post) {
    wasi_http_types_method_t method{};
    method.tag = WASI_HTTP_TYPES_METHOD_POST;
    wasi_http_types_method_request_set_method(self, &method);
    upload(Request(incoming), contents, trailers).detach();
  } else {
    wasi_http_types_request_drop_own(incoming);
    no_trailers(trailers).detach();
  }
  wasi_http_types_future_result_void_error_code_drop_readable(made.f1);
  wasi_http_client_result_own_response_error_code_t result;
  co_await Subtask{wasi_http_client_send(made.f0, &result)};
  if (result.is_err) {
    std::string tag = std::to_string(result.val.err.tag);
    wasi_http_types_error_code_free(&result.val.err);
    co_await say(502, "error " + tag + "\n");
  } else {
    co_await answer(result.val.ok);
  }
}

}  // namespace weft::http
