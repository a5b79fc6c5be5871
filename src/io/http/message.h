#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weft {

// One header field, borrowed. Names of requests are in lower case; the order is the sender's.
struct Header {
  std::string_view name;
  std::string_view value;

  friend bool operator==(const Header&, const Header&) = default;
};

enum class HttpVersion : std::uint8_t { k10, k11, k2 };

// The head of a request, borrowed from its exchange until that is released.
struct RequestHead {
  std::string_view method;     // As sent: "GET". Case matters.
  std::string_view target;     // As sent: "/path?query", "http://host/path", or "*".
  std::string_view path;       // Path and query alone: "/path?query", or "*".
  std::string_view authority;  // Host and port: from an absolute target, else from Host. May be "".
  HttpVersion version = HttpVersion::k11;
  std::span<const Header> headers;  // With Host, Content-Length and the hop-by-hop ones.
  std::optional<std::uint64_t> content_length;
  bool chunked = false;

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
  // The first header of that name (in lower case), or nothing.
  std::optional<std::string_view> header(std::string_view name) const {
    for (const Header& each : headers) {
      if (each.name == name) return each.value;
    }
    return std::nullopt;
  }
};

}  // namespace weft
