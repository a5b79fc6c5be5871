#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "io/http/message.h"

namespace weft {

// What a request asks of a file, as far as it is decided without the file's bytes. Pure.

// "text/css; charset=utf-8" for a name that ends in ".css".
std::string_view content_type_of(std::string_view name);

// "Sun, 06 Nov 1994 08:49:37 GMT", and back; nothing for what is not such a date.
std::string http_date(std::time_t time);
std::optional<std::time_t> parse_http_date(std::string_view text);

// The file that a request's path names below the folder, without its first `strip` segments:
// "a/b.txt", "" for the folder itself, with a slash at the end where the path has one. Nothing for
// what is never served: empty segments, "." and "..", names that begin with a dot (but
// .well-known), slashes and NULs in escapes, escapes that are none.
std::optional<std::string> file_of(std::string_view path, std::size_t strip);

// Which bytes of a file go out, and with what status.
struct FileAnswer {
  int status = 200;  // 200, 206, 304 or 416.
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// An entity tag of what a file is now, with its quotes.
std::string etag_of(const struct stat& file);

// If-None-Match before If-Modified-Since; one range, where If-Range agrees. Several ranges and what
// is malformed are answered with the whole file, as if they were not there.
FileAnswer answer_for(const RequestHead& request, const struct stat& file, std::string_view etag);

}  // namespace weft
