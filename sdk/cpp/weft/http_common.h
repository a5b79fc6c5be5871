// What wasi:http 0.2 and 0.3 have in common: headers, methods, URLs, errors.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/result.h"

#ifndef WASI_HTTP_TYPES_METHOD_GET
#error "the world neither exports nor imports wasi:http"
#endif

namespace weft::http {

using weft::Bytes;
using weft::bytes;

struct Header {
  std::string name;
  std::string value;
};

using Headers = std::vector<Header>;

// Whether two names of headers, or two values that people write in either case, are the same.
inline bool same_name(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// The first header of that name.
inline std::optional<std::string> find(const Headers& headers, std::string_view name) {
  for (const Header& each : headers) {
    if (same_name(each.name, name)) return each.value;
  }
  return std::nullopt;
}

// "a%20b" as "a b"; in a query, + is a space too.
inline std::string decode(std::string_view text, bool query = false) {
  auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = static_cast<char>(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      c = static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else if (c == '+' && query) {
      c = ' ';
    }
    out += c;
  }
  return out;
}

namespace detail {

using weft::detail::lend;
using weft::detail::view;

// A parameter of a path with its query, as it stands; nothing when it is not there.
inline std::optional<std::string_view> find_query(std::string_view rest, std::string_view name) {
  for (auto mark = rest.find('?'); mark != rest.npos; mark = rest.find('&')) {
    rest.remove_prefix(mark + 1);
    std::string_view pair = rest.substr(0, rest.find('&'));
    if (pair.substr(0, pair.find('=')) != name) continue;
    return pair.size() == name.size() ? std::string_view{} : pair.substr(name.size() + 1);
  }
  return std::nullopt;
}

inline constexpr std::array<std::string_view, 9> kMethods{
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};

inline std::string take_method(wasi_http_types_method_t& method) {
  if (method.tag < kMethods.size()) return std::string(kMethods[method.tag]);
  std::string text(view(method.val.other));
  wasi_http_types_method_free(&method);
  return text;
}

// Borrows `name`.
inline wasi_http_types_method_t lend_method(std::string_view name) {
  wasi_http_types_method_t method{};
  while (method.tag < kMethods.size() && kMethods[method.tag] != name) ++method.tag;
  if (method.tag == kMethods.size()) method.val.other = lend(name);
  return method;
}

// What the host refuses of the headers is left out, and the rest is sent.
inline wasi_http_types_own_fields_t make_fields(const Headers& headers) {
  auto fields = wasi_http_types_constructor_fields();
  for (const Header& each : headers) {
    auto name = lend(each.name);
    wasi_http_types_field_value_t value{const_cast<std::uint8_t*>(bytes(each.value).data()),
                                        each.value.size()};
    wasi_http_types_header_error_t refused;
    wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(fields), &name, &value,
                                         &refused);
  }
  return fields;
}

// Uses the fields up.
inline Headers take_fields(wasi_http_types_own_fields_t fields) {
  wasi_http_types_list_tuple2_field_name_field_value_t rows;
#ifdef GUEST_SUBTASK_STATE
  wasi_http_types_method_fields_copy_all(wasi_http_types_borrow_fields(fields), &rows);
#else
  wasi_http_types_method_fields_entries(wasi_http_types_borrow_fields(fields), &rows);
#endif
  Headers headers;
  headers.reserve(rows.len);
  for (std::size_t i = 0; i < rows.len; ++i) {
    headers.push_back({std::string(view(rows.ptr[i].f0)), std::string(view(rows.ptr[i].f1))});
  }
  wasi_http_types_list_tuple2_field_name_field_value_free(&rows);
  wasi_http_types_fields_drop_own(fields);
  return headers;
}

// The value of one header. Uses the fields up.
inline std::optional<std::string> take_field(wasi_http_types_own_fields_t fields,
                                             std::string_view name) {
  auto text = lend(name);
  wasi_http_types_list_field_value_t values;
  wasi_http_types_method_fields_get(wasi_http_types_borrow_fields(fields), &text, &values);
  std::optional<std::string> out;
  if (values.len != 0) out = std::string(view(values.ptr[0]));
  wasi_http_types_list_field_value_free(&values);
  wasi_http_types_fields_drop_own(fields);
  return out;
}

// The standard's words for what went wrong, in the order of its cases.
inline constexpr std::array<std::string_view, 39> kErrors{"DNS-timeout",
                                                          "DNS-error",
                                                          "destination-not-found",
                                                          "destination-unavailable",
                                                          "destination-IP-prohibited",
                                                          "destination-IP-unroutable",
                                                          "connection-refused",
                                                          "connection-terminated",
                                                          "connection-timeout",
                                                          "connection-read-timeout",
                                                          "connection-write-timeout",
                                                          "connection-limit-reached",
                                                          "TLS-protocol-error",
                                                          "TLS-certificate-error",
                                                          "TLS-alert-received",
                                                          "HTTP-request-denied",
                                                          "HTTP-request-length-required",
                                                          "HTTP-request-body-size",
                                                          "HTTP-request-method-invalid",
                                                          "HTTP-request-URI-invalid",
                                                          "HTTP-request-URI-too-long",
                                                          "HTTP-request-header-section-size",
                                                          "HTTP-request-header-size",
                                                          "HTTP-request-trailer-section-size",
                                                          "HTTP-request-trailer-size",
                                                          "HTTP-response-incomplete",
                                                          "HTTP-response-header-section-size",
                                                          "HTTP-response-header-size",
                                                          "HTTP-response-body-size",
                                                          "HTTP-response-trailer-section-size",
                                                          "HTTP-response-trailer-size",
                                                          "HTTP-response-transfer-coding",
                                                          "HTTP-response-content-coding",
                                                          "HTTP-response-timeout",
                                                          "HTTP-upgrade-failed",
                                                          "HTTP-protocol-error",
                                                          "loop-detected",
                                                          "configuration-error",
                                                          "internal-error"};

inline Code code_of(std::uint8_t tag) {
  switch (tag) {
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_DENIED:
    case WASI_HTTP_TYPES_ERROR_CODE_DESTINATION_IP_PROHIBITED: return Code::kDenied;
    case WASI_HTTP_TYPES_ERROR_CODE_DNS_ERROR:
    case WASI_HTTP_TYPES_ERROR_CODE_DESTINATION_NOT_FOUND: return Code::kNotFound;
    case WASI_HTTP_TYPES_ERROR_CODE_DNS_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_READ_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_WRITE_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_RESPONSE_TIMEOUT: return Code::kTimeout;
    case WASI_HTTP_TYPES_ERROR_CODE_DESTINATION_UNAVAILABLE:
    case WASI_HTTP_TYPES_ERROR_CODE_DESTINATION_IP_UNROUTABLE:
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_REFUSED:
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_TERMINATED:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_RESPONSE_INCOMPLETE: return Code::kUnreachable;
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_URI_INVALID:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_METHOD_INVALID: return Code::kInvalid;
    default: return Code::kOther;
  }
}

inline std::unexpected<Error> taken(wasi_http_types_error_code_t& error) {
  std::uint8_t tag = error.tag;
  wasi_http_types_error_code_free(&error);
  return failure(code_of(tag), std::string(tag < kErrors.size() ? kErrors[tag] : "unknown error"));
}

// "https://host:443/path?query", cut.
struct Url {
  bool tls = false;
  std::string_view authority;
  std::string_view path;  // With the query; empty: "/".
};

inline std::optional<Url> cut_url(std::string_view text) {
  Url url;
  if (text.starts_with("https://")) {
    url.tls = true;
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else {
    return std::nullopt;
  }
  text = text.substr(0, text.find('#'));
  auto end = std::min(text.find_first_of("/?"), text.size());
  url.authority = text.substr(0, end);
  url.path = text.substr(end);
  if (url.authority.empty()) return std::nullopt;
  return url;
}

}  // namespace detail
}  // namespace weft::http
