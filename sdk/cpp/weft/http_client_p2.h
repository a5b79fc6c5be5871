// The client of wasi:http 0.2: included by weft/http_client.h.
#pragma once

#include "weft/http_client.h"

namespace weft::http {

namespace detail {

inline bool fill(wasi_http_types_borrow_outgoing_request_t self, const Outgoing& from,
                 const Url& url) {
  auto method = lend_method(from.method);
  wasi_http_types_scheme_t scheme{};
  scheme.tag = url.tls ? WASI_HTTP_TYPES_SCHEME_HTTPS : WASI_HTTP_TYPES_SCHEME_HTTP;
  auto authority = lend(url.authority);
  std::string path(url.path);
  if (!path.starts_with('/')) path.insert(0, "/");
  auto path_text = lend(path);
  return wasi_http_types_method_outgoing_request_set_method(self, &method) &&
         wasi_http_types_method_outgoing_request_set_scheme(self, &scheme) &&
         wasi_http_types_method_outgoing_request_set_authority(self, &authority) &&
         wasi_http_types_method_outgoing_request_set_path_with_query(self, &path_text);
}

}  // namespace detail

// A request that is on its way.
class Pending {
 public:
  explicit Pending(wasi_http_types_own_future_incoming_response_t future) : future_(future) {}
  Pending(Pending&& other) noexcept
      : future_(other.future_), open_(std::exchange(other.open_, false)) {}
  Pending& operator=(Pending&&) = delete;
  // Lets the request go that nobody waited for.
  ~Pending() {
    if (open_) wasi_http_types_future_incoming_response_drop_own(future_);
  }

  // Blocks until the response's head is there. Once.
  Result<Incoming> wait() {
    auto self = wasi_http_types_borrow_future_incoming_response(future_);
    auto ready = wasi_http_types_method_future_incoming_response_subscribe(self);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(ready));
    wasi_io_poll_pollable_drop_own(ready);
    wasi_http_types_result_result_own_incoming_response_error_code_void_t result;
    if (!wasi_http_types_method_future_incoming_response_get(self, &result) || result.is_err) {
      return failure(Code::kInvalid, "the response was taken already");
    }
    if (result.val.ok.is_err) return detail::taken(result.val.ok.val.err);
    auto response = result.val.ok.val.ok;
    auto borrowed = wasi_http_types_borrow_incoming_response(response);
    auto status = wasi_http_types_method_incoming_response_status(borrowed);
    auto headers = detail::take_fields(wasi_http_types_method_incoming_response_headers(borrowed));
    wasi_http_types_own_incoming_body_t handle;
    std::optional<Body> body;
    if (wasi_http_types_method_incoming_response_consume(borrowed, &handle)) {
      if (auto opened = Body::open(handle)) body.emplace(*std::move(opened));
    }
    wasi_http_types_incoming_response_drop_own(response);
    if (!body) return failure(Code::kOther, "the response's body cannot be read");
    return Incoming{status, std::move(headers), *std::move(body)};
  }

 private:
  wasi_http_types_own_future_incoming_response_t future_;
  bool open_ = true;
};

namespace detail {

// Sends a request, and lets `write_body(Writer&)` write its body where there is one.
template <class Write>
Result<Pending> start(const Outgoing& request, bool has_body, Write write_body) {
  auto url = cut_url(request.url);
  if (!url) return bad_url(request.url);
  auto outgoing = wasi_http_types_constructor_outgoing_request(make_fields(request.headers));
  auto self = wasi_http_types_borrow_outgoing_request(outgoing);
  wasi_http_types_own_outgoing_body_t body{};
  if (!fill(self, request, *url) ||
      (has_body && !wasi_http_types_method_outgoing_request_body(self, &body))) {
    wasi_http_types_outgoing_request_drop_own(outgoing);
    return bad_url(request.url);
  }
  std::optional<Writer> writer;
  if (has_body) writer.emplace(body);
  auto options = options_of(request);
  wasi_http_types_own_future_incoming_response_t future;
  wasi_http_types_error_code_t error;
  if (!wasi_http_outgoing_handler_handle(outgoing, options ? &*options : nullptr, &future,
                                         &error)) {
    return taken(error);
  }
  Pending pending(future);
  if (writer) write_body(*writer);
  return pending;
}

}  // namespace detail

// Sends a request whose body `write_body(Writer&)` writes; gives it back before there is a
// response. Several at once: start them all, then wait for each.
template <class Write>
Result<Pending> start(const Outgoing& request, Write write_body) {
  return detail::start(request, true, std::move(write_body));
}

inline Result<Pending> start(Outgoing request) {
  bool has_body = !request.body.empty();
  if (has_body && !find(request.headers, "content-length")) {
    request.headers.push_back({"content-length", std::to_string(request.body.size())});
  }
  return detail::start(request, has_body, [&](Writer& writer) { writer.write(request.body); });
}

// Sends a request and waits for the response's head.
inline Result<Incoming> send(Outgoing request) {
  auto pending = start(std::move(request));
  if (!pending) return std::unexpected(std::move(pending).error());
  return pending->wait();
}

}  // namespace weft::http
