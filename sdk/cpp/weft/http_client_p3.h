// The client of wasi:http 0.3: included by weft/http_client.h.
#pragma once

#include "weft/http_client.h"

namespace weft::http {

namespace detail {

inline bool fill(wasi_http_types_own_request_t request, const Outgoing& from, const Url& url) {
  auto self = wasi_http_types_borrow_request(request);
  auto method = lend_method(from.method);
  wasi_http_types_scheme_t scheme{};
  scheme.tag = url.tls ? WASI_HTTP_TYPES_SCHEME_HTTPS : WASI_HTTP_TYPES_SCHEME_HTTP;
  auto authority = lend(url.authority);
  std::string path(url.path);
  if (!path.starts_with('/')) path.insert(0, "/");
  auto path_text = lend(path);
  return wasi_http_types_method_request_set_method(self, &method) &&
         wasi_http_types_method_request_set_scheme(self, &scheme) &&
         wasi_http_types_method_request_set_authority(self, &authority) &&
         wasi_http_types_method_request_set_path_with_query(self, &path_text);
}

inline Task<> write_text(Writer writer, std::string text) {
  co_await writer.write(text);
  co_await writer.finish();
}

// Keeps what `produce` captured for as long as it runs.
template <class Produce>
Task<> run_producer(Produce produce, Writer writer) {
  co_await produce(std::move(writer));
}

inline Body body_of(wasi_http_types_own_response_t response) {
  OutcomeWriter outcome;
  auto result = wasi_http_types_future_result_void_error_code_new(&outcome);
  wasi_http_types_tuple2_stream_u8_future_result_option_own_trailers_error_code_t body;
  wasi_http_types_static_response_consume_body(response, result, &body);
  return Body(body.f0, body.f1, outcome);
}

// Sends a request whose contents, if it has any, somebody writes already.
inline Task<Result<Incoming>> exchange(Outgoing request,
                                       std::optional<wasi_http_types_stream_u8_t> contents,
                                       Trailers trailers) {
  auto options = options_of(request);
  wasi_http_types_tuple2_own_request_future_result_void_error_code_t made;
  wasi_http_types_static_request_new(make_fields(request.headers), contents ? &*contents : nullptr,
                                     trailers, options ? &*options : nullptr, &made);
  wasi_http_types_future_result_void_error_code_drop_readable(made.f1);
  auto url = cut_url(request.url);
  if (!url || !fill(made.f0, request, *url)) {
    wasi_http_types_request_drop_own(made.f0);
    co_return bad_url(request.url);
  }
  wasi_http_client_result_own_response_error_code_t result;
  co_await Subtask{wasi_http_client_send(made.f0, &result)};
  if (result.is_err) co_return taken(result.val.err);
  auto response = wasi_http_types_borrow_response(result.val.ok);
  auto status = wasi_http_types_method_response_get_status_code(response);
  auto headers = take_fields(wasi_http_types_method_response_get_headers(response));
  co_return Incoming{status, std::move(headers), body_of(result.val.ok)};
}

}  // namespace detail

// Sends a request whose body `produce(Writer)`, a coroutine, writes while the response may come
// already; gives the response's head with a body to read.
template <class Produce>
Task<Result<Incoming>> send(Outgoing request, Produce produce) {
  auto body = detail::NewBody::make();
  detail::run_producer(std::move(produce), std::move(body.writer)).detach();
  co_return co_await detail::exchange(std::move(request), body.stream, body.trailers);
}

// Sends a request with the body that is in it. Several at once: `co_await when_all(send(a),
// send(b))`.
inline Task<Result<Incoming>> send(Outgoing request) {
  if (request.body.empty()) {
    detail::TrailersWriter end;
    auto trailers = wasi_http_types_future_result_option_own_trailers_error_code_new(&end);
    detail::tell_no_trailers(end).detach();
    co_return co_await detail::exchange(std::move(request), std::nullopt, trailers);
  }
  std::string body = std::move(request.body);
  if (!find(request.headers, "content-length")) {
    request.headers.push_back({"content-length", std::to_string(body.size())});
  }
  co_return co_await send(std::move(request), [body = std::move(body)](Writer writer) {
    return detail::write_text(std::move(writer), body);
  });
}

}  // namespace weft::http
