#include "io/http/parser.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <limits>
#include <optional>

namespace weft {
namespace {

constexpr std::size_t kMethodMax = 32;

struct Classes {
  enum : std::uint8_t { kToken = 1, kValue = 2, kTarget = 4, kHost = 8 };
  std::array<std::uint8_t, 256> of{};

  constexpr Classes() {
    for (int c = 0; c < 256; ++c) {
      bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      bool digit = c >= '0' && c <= '9';
      std::uint8_t bits = 0;
      if (letter || digit || one_of(c, "!#$%&'*+-.^_`|~")) bits |= kToken;
      if (c == '\t' || (c >= ' ' && c != 0x7f)) bits |= kValue;
      bool unreserved = letter || digit || one_of(c, "-._~");
      bool sub_delimiter = one_of(c, "!$&'()*+,;=");
      // The last four are no part of a URI, and browsers send them in queries as they are typed.
      if (unreserved || sub_delimiter || one_of(c, ":/?[]@%|^{}")) bits |= kTarget;
      if (unreserved || sub_delimiter) bits |= kHost;
      of[c] = bits;
    }
  }
  // Never for 0, which ends the set.
  static constexpr bool one_of(int c, const char* set) {
    for (; *set != 0; ++set) {
      if (c == *set) return true;
    }
    return false;
  }
};
constexpr Classes kClasses;

bool all(std::string_view text, std::uint8_t bits) {
  for (unsigned char c : text) {
    if ((kClasses.of[c] & bits) == 0) return false;
  }
  return true;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

std::string_view trimmed(std::string_view text) {
  auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> decimal(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    if (__builtin_mul_overflow(value, 10u, &value) ||
        __builtin_add_overflow(value, static_cast<unsigned>(c - '0'), &value)) {
      return std::nullopt;
    }
  }
  return value;
}

// A name, or an IPv4 address, with each % followed by two hexadecimal digits.
bool is_host(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      auto hex = [&](std::size_t at) {
        return at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at])) != 0;
      };
      if (!hex(i + 1) || !hex(i + 2)) return false;
      i += 2;
    } else if ((kClasses.of[static_cast<unsigned char>(text[i])] & Classes::kHost) == 0) {
      return false;
    }
  }
  return !text.empty();
}

// Without a zone, which means nothing to anybody but the client.
bool is_ipv6(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> room{};
  if (text.size() >= room.size() || text.find('\0') != std::string_view::npos) return false;
  std::ranges::copy(text, room.begin());
  in6_addr address{};
  return ::inet_pton(AF_INET6, room.data(), &address) == 1;
}

// One header line without its end; the name goes to lower case in place. Nothing: it is malformed.
std::optional<Header> parse_line(char* data, std::size_t size) {
  std::size_t colon = 0;
  for (; colon < size && data[colon] != ':'; ++colon) {
    if ((kClasses.of[static_cast<unsigned char>(data[colon])] & Classes::kToken) == 0) {
      return std::nullopt;
    }
    data[colon] = lower(data[colon]);
  }
  if (colon == 0 || colon == size) return std::nullopt;
  std::string_view value = trimmed({data + colon + 1, size - colon - 1});
  if (!all(value, Classes::kValue)) return std::nullopt;
  return Header{{data, colon}, value};
}

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && all(text, Classes::kToken);
}
bool is_field_value(std::string_view text) {
  return all(text, Classes::kValue);
}
bool is_target(std::string_view text) {
  return !text.empty() && all(text, Classes::kTarget);
}

// host, host:port, [address] or [address]:port, without user information.
bool is_authority(std::string_view text) {
  std::string_view port;
  if (text.starts_with('[')) {
    std::size_t end = text.find(']');
    if (end == std::string_view::npos || !is_ipv6(text.substr(1, end - 1))) return false;
    port = text.substr(end + 1);
  } else {
    std::size_t colon = text.find(':');
    if (!is_host(text.substr(0, colon))) return false;
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (port.empty() || port == ":") return true;
  return port[0] == ':' && decimal(port.substr(1)).value_or(65'536) <= 65'535;
}

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// What the framing of a request is decided by.
struct HeadParser::Seen {
  int hosts = 0;
  int lengths = 0;
  int encodings = 0;
  std::string_view host;
};

void HeadParser::reset() {
  head_ = RequestHead();
  headers_.clear();
  lines_.clear();
  begin_ = scanned_ = size_ = 0;
  problem_ = HttpRefusal();
  keep_alive_ = true;
  close_asked_ = keep_asked_ = expects_continue_ = false;
}

HeadParser::State HeadParser::bad(int status, const char* reason) {
  problem_ = {status, reason};
  return State::kBad;
}

// Finds the line ends, each byte once however the head is sliced.
HeadParser::State HeadParser::find_end(std::span<char> bytes) {
  for (;;) {
    if (scanned_ == begin_ && begin_ < bytes.size() && bytes[begin_] != '\r' &&
        !is_token({bytes.data() + begin_, 1})) {
      return bad(400, "this is not HTTP");
    }
    std::size_t line = lines_.empty() ? begin_ : lines_.back();
    const void* found = scanned_ < bytes.size()
                            ? std::memchr(bytes.data() + scanned_, '\n', bytes.size() - scanned_)
                            : nullptr;
    std::size_t end = found != nullptr
                          ? static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data())
                          : bytes.size();
    bool first = lines_.size() <= 1;
    if (end - begin_ > limits_.bytes_max) {
      return first ? bad(414, "the request line is too long") : bad(431, "the head is too large");
    }
    if (found == nullptr) {
      scanned_ = bytes.size();
      return State::kMore;
    }
    if (end == line || bytes[end - 1] != '\r') return bad(400, "a line ends without CR LF");
    scanned_ = end + 1;
    if (end - 1 == line) {
      if (lines_.empty()) {
        // One empty line before the request line is left over from an old client's last body.
        if (begin_ != 0) return bad(400, "empty lines before the request line");
        begin_ = end + 1;
        continue;
      }
      size_ = end + 1;
      return State::kDone;
    }
    if (lines_.empty()) lines_.push_back(static_cast<std::uint32_t>(line));
    if (lines_.size() > limits_.headers_max + 1) return bad(431, "too many headers");
    lines_.push_back(static_cast<std::uint32_t>(end + 1));
  }
}

HeadParser::State HeadParser::parse(std::span<char> bytes) {
  State state = find_end(bytes);
  if (state != State::kDone) return state;

  Seen seen;
  // Each line but the last two, the last header's and the empty one, ends before the next begins.
  std::size_t request_line = lines_[1] - 2 - lines_[0];
  if (!parse_request_line({bytes.data() + lines_[0], request_line})) return State::kBad;
  if (!parse_headers(bytes)) return State::kBad;
  for (const Header& header : headers_) {
    if (!take_header(header, seen)) return State::kBad;
  }
  head_.headers = headers_;
  if (!check_framing(seen)) return State::kBad;
  if (head_.authority.data() == nullptr) head_.authority = seen.host;
  keep_alive_ = !close_asked_ && (head_.version == HttpVersion::k11 || keep_asked_);
  return State::kDone;
}

bool HeadParser::parse_request_line(std::string_view line) {
  auto fail = [&](int status, const char* reason) {
    bad(status, reason);
    return false;
  };
  std::size_t method_end = line.find(' ');
  if (method_end == std::string_view::npos) return fail(400, "the request line is malformed");
  std::size_t target_end = line.find(' ', method_end + 1);
  if (target_end == std::string_view::npos) return fail(400, "the request line is malformed");
  head_.method = line.substr(0, method_end);
  head_.target = line.substr(method_end + 1, target_end - method_end - 1);
  std::string_view version = line.substr(target_end + 1);

  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (version.size() != 8 || !version.starts_with("HTTP/") || !digit(version[5]) ||
      version[6] != '.' || !digit(version[7])) {
    return fail(400, "the request line is malformed");
  }
  if (!is_token(head_.method)) return fail(400, "the method is malformed");
  if (!is_target(head_.target)) return fail(400, "the target is malformed");
  if (version[5] != '1') return fail(505, "only HTTP/1.0 and HTTP/1.1 are served here");
  head_.version = version[7] == '0' ? HttpVersion::k10 : HttpVersion::k11;
  if (head_.method.size() > kMethodMax) return fail(501, "the method is not known");
  if (head_.method == "CONNECT") return fail(501, "CONNECT is not served");
  if (!parse_target()) return fail(400, "the target is malformed");
  return true;
}

bool HeadParser::parse_target() {
  std::string_view target = head_.target;
  if (target[0] == '/') {
    head_.path = target;
    return true;
  }
  if (target == "*") {
    head_.path = target;
    return head_.method == "OPTIONS";
  }
  std::size_t scheme = target.find("://");
  if (scheme == std::string_view::npos) return false;
  if (!same_name(target.substr(0, scheme), "http") &&
      !same_name(target.substr(0, scheme), "https")) {
    return false;
  }
  std::string_view rest = target.substr(scheme + 3);
  std::size_t end = rest.find_first_of("/?");
  head_.authority = rest.substr(0, end);
  if (head_.authority.empty() || !is_authority(head_.authority)) return false;
  std::string_view path = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  if (path.starts_with('/')) {
    head_.path = path;
  } else {
    path_ = "/";
    path_ += path;
    head_.path = path_;
  }
  return true;
}

bool HeadParser::parse_headers(std::span<char> bytes) {
  for (std::size_t i = 1; i + 1 < lines_.size(); ++i) {
    auto header = parse_line(bytes.data() + lines_[i], lines_[i + 1] - 2 - lines_[i]);
    if (!header) {
      bad(400, "a header is malformed");
      return false;
    }
    headers_.push_back(*header);
  }
  return true;
}

bool HeadParser::take_header(const Header& header, Seen& seen) {
  const auto& [name, value] = header;
  switch (name.size()) {
    case 4:
      if (name == "host") {
        ++seen.hosts;
        seen.host = value;
      }
      return true;
    case 6:
      if (name == "expect") {
        if (!same_name(value, "100-continue")) {
          bad(417, "only 100-continue can be expected");
          return false;
        }
        expects_continue_ = true;
      }
      return true;
    case 10: return name != "connection" || take_connection(value);
    case 14:
      if (name == "content-length") {
        ++seen.lengths;
        head_.content_length = decimal(value);
        if (!head_.content_length) {
          bad(400, "the Content-Length is malformed");
          return false;
        }
      }
      return true;
    case 17: return name != "transfer-encoding" || take_transfer_encoding(value, seen);
    default: return true;
  }
}

bool HeadParser::take_transfer_encoding(std::string_view value, Seen& seen) {
  ++seen.encodings;
  if (same_name(value, "chunked")) {
    head_.chunked = true;
    return true;
  }
  // Codings that end in chunked are valid and not served; anything else has no end to be found.
  std::size_t comma = value.rfind(',');
  std::string_view last =
      comma == std::string_view::npos ? value : trimmed(value.substr(comma + 1));
  if (comma != std::string_view::npos && same_name(last, "chunked") &&
      !same_name(trimmed(value.substr(0, comma)), "chunked")) {
    bad(501, "only the chunked transfer coding is served");
  } else {
    bad(is_token(value) && !same_name(value, "identity") ? 501 : 400,
        "the Transfer-Encoding is not chunked");
  }
  return false;
}

bool HeadParser::take_connection(std::string_view value) {
  while (!value.empty()) {
    std::size_t comma = value.find(',');
    std::string_view option = trimmed(value.substr(0, comma));
    if (same_name(option, "close")) close_asked_ = true;
    if (same_name(option, "keep-alive")) keep_asked_ = true;
    if (comma == std::string_view::npos) break;
    value.remove_prefix(comma + 1);
  }
  return true;
}

bool HeadParser::check_framing(const Seen& seen) {
  const char* reason = nullptr;
  if (seen.hosts > 1) reason = "more than one Host";
  if (seen.hosts == 0 && head_.version == HttpVersion::k11) reason = "the Host is missing";
  if (!seen.host.empty() && !is_authority(seen.host)) reason = "the Host is malformed";
  if (seen.lengths > 1) reason = "more than one Content-Length";
  if (seen.encodings > 1) reason = "more than one Transfer-Encoding";
  if (seen.lengths > 0 && seen.encodings > 0) reason = "both Content-Length and Transfer-Encoding";
  if (seen.encodings > 0 && head_.version == HttpVersion::k10) {
    reason = "Transfer-Encoding in HTTP/1.0";
  }
  if (reason == nullptr) return true;
  bad(400, reason);
  return false;
}

void ChunkDecoder::reset(std::size_t trailer_bytes_max) {
  state_ = State::kSizeFirst;
  left_ = 0;
  extension_bytes_ = line_ = 0;
  trailer_bytes_max_ = trailer_bytes_max;
  text_.clear();
  trailers_.clear();
  problem_ = HttpRefusal();
}

void ChunkDecoder::bad(int status, const char* reason) {
  state_ = State::kBad;
  problem_ = {status, reason};
}

std::size_t ChunkDecoder::skip(BytesView raw) {
  std::size_t count = 0;
  while (count < raw.size() && state_ != State::kData && state_ != State::kDone &&
         state_ != State::kBad) {
    eat(raw[count++]);
  }
  return count;
}

void ChunkDecoder::took(std::uint64_t count) {
  left_ -= count;
  extension_bytes_ -= std::min<std::uint64_t>(extension_bytes_, count);
  if (left_ == 0) state_ = State::kDataCr;
}

void ChunkDecoder::eat(std::uint8_t byte) {
  char c = static_cast<char>(byte);
  switch (state_) {
    case State::kSizeFirst:
    case State::kSize: {
      int digit = c >= '0' && c <= '9'   ? c - '0'
                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                         : -1;
      if (digit >= 0) {
        // Four bits of room left below the sign bit: sizes stay far from where sums wrap.
        if (left_ >> 59 != 0) return bad(400, "a chunk is too large");
        bool leading_zero = state_ == State::kSize && left_ == 0;
        if (leading_zero && ++extension_bytes_ > kExtensionBytesMax) {
          return bad(400, "too many zeros before chunk sizes");
        }
        left_ = left_ * 16 + static_cast<unsigned>(digit);
        state_ = State::kSize;
        return;
      }
      if (state_ == State::kSizeFirst) return bad(400, "a chunk size is malformed");
      if (c == '\r') {
        state_ = State::kSizeLf;
      } else if (c == ';') {
        state_ = State::kExtension;
      } else {
        bad(400, "a chunk size is malformed");
      }
      return;
    }
    case State::kExtension:
      if (c == '\r') {
        state_ = State::kSizeLf;
      } else if ((kClasses.of[byte] & Classes::kValue) == 0) {
        bad(400, "a chunk extension is malformed");
      } else if (++extension_bytes_ > kExtensionBytesMax) {
        bad(400, "too many chunk extensions");
      }
      return;
    case State::kSizeLf:
      if (c != '\n') return bad(400, "a chunk size ends without CR LF");
      state_ = left_ > 0 ? State::kData : State::kTrailer;
      return;
    case State::kDataCr:
      if (c != '\r') return bad(400, "a chunk ends without CR LF");
      state_ = State::kDataLf;
      return;
    case State::kDataLf:
      if (c != '\n') return bad(400, "a chunk ends without CR LF");
      state_ = State::kSizeFirst;
      return;
    case State::kTrailer: return trailer_byte(c);
    case State::kData:
    case State::kDone:
    case State::kBad: return;
  }
}

void ChunkDecoder::trailer_byte(char byte) {
  if (text_.size() >= trailer_bytes_max_) return bad(431, "the trailers are too large");
  text_ += byte;
  if (byte != '\n') return;
  std::size_t end = text_.size() - 1;
  if (end == line_ || text_[end - 1] != '\r') return bad(400, "a trailer ends without CR LF");
  if (end - 1 == line_) return parse_trailers();
  line_ = end + 1;
}

void ChunkDecoder::parse_trailers() {
  for (std::size_t begin = 0; begin < line_;) {
    std::size_t end = text_.find('\n', begin);
    auto header = parse_line(text_.data() + begin, end - 1 - begin);
    if (!header) return bad(400, "a trailer is malformed");
    // What decides framing or routing has been decided by the time a trailer comes.
    if (header->name == "content-length" || header->name == "transfer-encoding" ||
        header->name == "host") {
      return bad(400, "a trailer that belongs in the head");
    }
    trailers_.push_back(*header);
    begin = end + 1;
  }
  state_ = State::kDone;
}

}  // namespace weft
