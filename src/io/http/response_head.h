#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "io/http/message.h"

namespace weft {

// "Not Found" for 404; empty for a status that nobody named.
std::string_view status_reason(int status);

// What a response's own headers say about its framing.
struct ResponseFraming {
  std::optional<std::uint64_t> content_length;
  bool close = false;
};

// Appends the status line and the headers that may go on, each with its CR LF, without the empty
// line. Left out: what belongs to one hop, what Connection names, and Content-Length, which the
// caller writes. Adds `date` when none is among them. kInvalid, with nothing appended, for what
// cannot go on the wire.
Result<ResponseFraming> append_response_head(Buffer& out, int status,
                                             std::span<const Header> headers,
                                             std::string_view date);

// Appends trailers the same way, with the empty line; malformed and framing ones are left out.
void append_trailers(Buffer& out, std::span<const Header> trailers);

// The same for HTTP/2, where heads are not text: the headers that may go on, borrowed, with a date.
Result<ResponseFraming> filter_response_head(std::vector<Header>& out, int status,
                                             std::span<const Header> headers,
                                             std::string_view date);
void filter_trailers(std::vector<Header>& out, std::span<const Header> trailers);

void append_number(Buffer& out, std::uint64_t number);
void append_hex(Buffer& out, std::uint64_t number);

}  // namespace weft
