#include "io/http/response_head.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "io/http/parser.h"

namespace weft {
namespace {

enum class Kind : std::uint8_t { kPass, kDrop, kLength, kDate, kConnection };

Kind kind_of(std::string_view name) {
  switch (name.size()) {
    case 2: return same_name(name, "te") ? Kind::kDrop : Kind::kPass;
    case 4: return same_name(name, "date") ? Kind::kDate : Kind::kPass;
    case 7:
      return same_name(name, "trailer") || same_name(name, "upgrade") ? Kind::kDrop : Kind::kPass;
    case 10:
      if (same_name(name, "connection")) return Kind::kConnection;
      return same_name(name, "keep-alive") ? Kind::kDrop : Kind::kPass;
    case 14: return same_name(name, "content-length") ? Kind::kLength : Kind::kPass;
    case 16: return same_name(name, "proxy-connection") ? Kind::kDrop : Kind::kPass;
    case 17: return same_name(name, "transfer-encoding") ? Kind::kDrop : Kind::kPass;
    default: return Kind::kPass;
  }
}

// Whether the Connection value `options` names `name`.
bool names(std::string_view options, std::string_view name) {
  while (!options.empty()) {
    std::size_t comma = options.find(',');
    std::string_view option = options.substr(0, comma);
    while (!option.empty() && option.front() == ' ') option.remove_prefix(1);
    while (!option.empty() && option.back() == ' ') option.remove_suffix(1);
    if (same_name(option, name)) return true;
    if (comma == std::string_view::npos) return false;
    options.remove_prefix(comma + 1);
  }
  return false;
}

Result<void> check_header(const Header& header) {
  if (!is_token(header.name)) {
    return failure(Errc::kInvalid,
                   fmt::format("\"{}\" cannot be the name of a header", header.name.substr(0, 64)));
  }
  if (!is_field_value(header.value)) {
    return failure(Errc::kInvalid,
                   fmt::format("the value of header {} has a control character", header.name));
  }
  return {};
}

Result<std::uint64_t> parse_length(std::string_view value) {
  std::uint64_t length = 0;
  auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (problem != std::errc() || end != value.data() + value.size()) {
    return failure(Errc::kInvalid,
                   fmt::format("\"{}\" is not a Content-Length", value.substr(0, 64)));
  }
  return length;
}

void append_header(Buffer& out, const Header& header) {
  std::size_t size = header.name.size() + header.value.size() + 4;
  char* at = reinterpret_cast<char*>(out.reserve(size));
  at += header.name.copy(at, header.name.size());
  *at++ = ':';
  *at++ = ' ';
  at += header.value.copy(at, header.value.size());
  *at++ = '\r';
  *at++ = '\n';
  out.advance(size);
}

// What a head says beside its headers.
struct HeadFacts {
  ResponseFraming framing;
  std::string_view connection;
  bool dated = false;

  bool keeps(const Header& header) const {
    Kind kind = kind_of(header.name);
    if (kind != Kind::kPass && kind != Kind::kDate) return false;
    return connection.empty() || !names(connection, header.name);
  }
};

Result<HeadFacts> check_head(int status, std::span<const Header> headers) {
  if (status < 200 || status > 599) {
    return failure(Errc::kInvalid, fmt::format("{} is not the status of a response", status));
  }
  HeadFacts facts;
  for (const Header& header : headers) {
    TRY_VOID(check_header(header));
    switch (kind_of(header.name)) {
      case Kind::kLength: {
        TRY(std::uint64_t length, parse_length(header.value));
        if (facts.framing.content_length.value_or(length) != length) {
          return failure(Errc::kInvalid, "two values of Content-Length");
        }
        facts.framing.content_length = length;
        break;
      }
      case Kind::kConnection: facts.connection = header.value; break;
      case Kind::kDate: facts.dated = true; break;
      case Kind::kPass:
      case Kind::kDrop: break;
    }
  }
  facts.framing.close = names(facts.connection, "close");
  return facts;
}

bool keeps_trailer(const Header& trailer) {
  return check_header(trailer) && kind_of(trailer.name) == Kind::kPass &&
         !same_name(trailer.name, "host");
}

}  // namespace

std::string_view status_reason(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 207: return "Multi-Status";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 418: return "I'm a teapot";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 423: return "Locked";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    case 508: return "Loop Detected";
    default: return "";
  }
}

void append_number(Buffer& out, std::uint64_t number) {
  std::array<char, 20> room;
  char* end = std::to_chars(room.data(), room.data() + room.size(), number).ptr;
  out.append(std::string_view(room.data(), end - room.data()));
}

void append_hex(Buffer& out, std::uint64_t number) {
  std::array<char, 16> room;
  char* end = std::to_chars(room.data(), room.data() + room.size(), number, 16).ptr;
  out.append(std::string_view(room.data(), end - room.data()));
}

Result<ResponseFraming> append_response_head(Buffer& out, int status,
                                             std::span<const Header> headers,
                                             std::string_view date) {
  TRY(HeadFacts facts, check_head(status, headers));
  if (status == 200) {
    out.append("HTTP/1.1 200 OK\r\n");
  } else {
    out.append("HTTP/1.1 ");
    append_number(out, static_cast<unsigned>(status));
    out.push(' ');
    out.append(status_reason(status));
    out.append("\r\n");
  }
  for (const Header& header : headers) {
    if (facts.keeps(header)) append_header(out, header);
  }
  if (!facts.dated) append_header(out, {"date", date});
  return facts.framing;
}

void append_trailers(Buffer& out, std::span<const Header> trailers) {
  for (const Header& trailer : trailers) {
    if (keeps_trailer(trailer)) append_header(out, trailer);
  }
  out.append("\r\n");
}

Result<ResponseFraming> filter_response_head(std::vector<Header>& out, int status,
                                             std::span<const Header> headers,
                                             std::string_view date) {
  TRY(HeadFacts facts, check_head(status, headers));
  for (const Header& header : headers) {
    if (facts.keeps(header)) out.push_back(header);
  }
  if (!facts.dated) out.push_back({"date", date});
  return facts.framing;
}

void filter_trailers(std::vector<Header>& out, std::span<const Header> trailers) {
  for (const Header& trailer : trailers) {
    if (keeps_trailer(trailer)) out.push_back(trailer);
  }
}

}  // namespace weft
