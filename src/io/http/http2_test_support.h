#pragma once

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/http/test_support.h"

namespace weft::http_test {

enum FrameType : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kReset = 3,
  kSettings = 4,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
enum FrameFlag : std::uint8_t { kEndStream = 1, kAck = 1, kEndHeaders = 4 };

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline std::string number32(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                         std::string_view payload) {
  std::string out = number32(static_cast<std::uint32_t>(payload.size())).substr(1);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  return out + number32(stream) + std::string(payload);
}

inline std::string setting(std::uint16_t id, std::uint32_t value) {
  return number32(id).substr(2) + number32(value);
}

// HPACK without tables: each field as a literal that is not indexed.
inline std::string field(std::string_view name, std::string_view value) {
  auto text = [](std::string_view part) {
    std::string out;
    if (part.size() < 127) {
      out += static_cast<char>(part.size());
    } else {
      out += '\x7f';
      std::size_t left = part.size() - 127;
      for (; left >= 128; left /= 128) out += static_cast<char>(left % 128 + 128);
      out += static_cast<char>(left);
    }
    return out + std::string(part);
  };
  return std::string(1, '\0') + text(name) + text(value);
}

inline std::string request_fields(std::string_view method, std::string_view path,
                                  const std::vector<Header>& headers = {}) {
  std::string out = field(":method", method) + field(":scheme", "http") + field(":path", path) +
                    field(":authority", "a.test");
  for (const Header& each : headers) out += field(each.name, each.value);
  return out;
}

struct Frame {
  std::uint8_t type = 255;  // 255: the connection ended.
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  std::string payload;

  bool ends_stream() const { return type <= kHeaders && (flags & kEndStream) != 0; }
  std::uint32_t number(std::size_t at = 0) const {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      value = value << 8 | static_cast<std::uint8_t>(payload.at(at + i));
    }
    return value;
  }
};

// What came on one stream.
struct H2Response {
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::pair<std::string, std::string>> trailers;
  std::string body;
  bool whole = false;
  std::optional<std::uint32_t> reset;

  int status() const { return std::atoi(header(":status").c_str()); }
  std::string header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "(none)";
  }
};

// A client that speaks frames, over what sends and receives bytes.
class H2Client {
 public:
  using Send = std::function<bool(std::string_view)>;
  using Receive = std::function<std::string()>;  // "" at the end.

  H2Client(Send send_bytes, Receive receive_bytes)
      : send_(std::move(send_bytes)), receive_(std::move(receive_bytes)) {
    nghttp2_hd_inflate_new(&inflater_);
  }
  explicit H2Client(Client& client)
      : H2Client([&client](std::string_view bytes) { return client.send(bytes); },
                 [&client] {
                   char room[65536];
                   ssize_t count = ::recv(client.fd(), room, sizeof(room), 0);
                   return std::string(room, count > 0 ? static_cast<std::size_t>(count) : 0);
                 }) {}
  H2Client(const H2Client&) = delete;
  ~H2Client() { nghttp2_hd_inflate_del(inflater_); }

  bool send(std::string_view bytes) { return send_(bytes); }
  // The preface, with these settings.
  void greet(std::string_view settings = "") {
    send(std::string(kPreface) + frame(kSettings, 0, 0, settings));
  }
  void request(std::uint32_t stream, std::string_view path, std::string_view method = "GET",
               const std::vector<Header>& headers = {}) {
    send(frame(kHeaders, kEndHeaders | kEndStream, stream, request_fields(method, path, headers)));
  }
  void begin(std::uint32_t stream, std::string_view path, const std::vector<Header>& headers = {}) {
    send(frame(kHeaders, kEndHeaders, stream, request_fields("POST", path, headers)));
  }
  void data(std::uint32_t stream, std::string_view bytes, std::uint8_t flags = 0) {
    send(frame(kData, flags, stream, bytes));
  }
  void window(std::uint32_t stream, std::uint32_t more) {
    send(frame(kWindowUpdate, 0, stream, number32(more)));
  }

  Frame read() {
    while (in_.size() < 9 || in_.size() < 9 + size()) {
      std::string more = receive_();
      if (more.empty()) return {};
      in_ += more;
    }
    Frame out;
    out.type = static_cast<std::uint8_t>(in_[3]);
    out.flags = static_cast<std::uint8_t>(in_[4]);
    out.payload = in_.substr(5, 4);
    out.stream = out.number() & 0x7fffffff;
    out.payload = in_.substr(9, size());
    in_.erase(0, 9 + out.payload.size());
    return out;
  }
  // Reads until a frame of this type came, keeping what came on streams; type 255 when none did.
  Frame read_until(std::uint8_t type) {
    for (;;) {
      Frame got = read();
      keep(got);
      if (got.type == type || got.type == 255) return got;
    }
  }
  // Reads until the stream has ended, and opens the windows for what comes.
  enum class Windows : std::uint8_t { kOpen, kLeave };
  H2Response& response(std::uint32_t stream, Windows mode = Windows::kOpen) {
    H2Response& out = responses[stream];
    while (!out.whole && !out.reset && step(mode)) continue;
    return out;
  }
  // Reads one frame; false when none came.
  bool step(Windows mode = Windows::kOpen) {
    Frame got = read();
    keep(got);
    if (got.type == kData && !got.payload.empty() && mode == Windows::kOpen) {
      auto count = static_cast<std::uint32_t>(got.payload.size());
      window(0, count);
      if (!got.ends_stream()) window(got.stream, count);
    }
    return got.type != 255;
  }

  std::map<std::uint32_t, H2Response> responses;
  std::map<std::uint32_t, std::uint64_t> windows;  // What the server's WINDOW_UPDATEs sum up to.
  std::optional<std::uint32_t> goaway;             // Its error code.
  std::uint32_t goaway_last = 0;

 private:
  std::size_t size() const {
    return static_cast<std::size_t>(static_cast<std::uint8_t>(in_[0])) << 16 |
           static_cast<std::size_t>(static_cast<std::uint8_t>(in_[1])) << 8 |
           static_cast<std::uint8_t>(in_[2]);
  }
  void keep(const Frame& got) {
    H2Response& out = responses[got.stream];
    switch (got.type) {
      case kHeaders:
        inflate(got.payload,
                out.headers.empty() || out.status() < 200 ? out.headers : out.trailers);
        break;
      case kData: out.body += got.payload; break;
      case kReset: out.reset = got.number(); break;
      case kWindowUpdate: windows[got.stream] += got.number(); break;
      case kGoaway:
        goaway_last = got.number();
        goaway = got.number(4);
        break;
      case kSettings:
        if ((got.flags & kAck) == 0) send(frame(kSettings, kAck, 0, ""));
        break;
      default: break;
    }
    if (got.ends_stream()) out.whole = true;
  }
  void inflate(std::string_view block, std::vector<std::pair<std::string, std::string>>& into) {
    into.clear();
    auto* at = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(block.data()));
    std::size_t left = block.size();
    for (;;) {
      nghttp2_nv pair;
      int flags = 0;
      ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &pair, &flags, at, left, 1);
      ASSERT_GE(used, 0);
      at += used;
      left -= static_cast<std::size_t>(used);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        into.emplace_back(std::string(reinterpret_cast<char*>(pair.name), pair.namelen),
                          std::string(reinterpret_cast<char*>(pair.value), pair.valuelen));
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
      if (left == 0 && (flags & NGHTTP2_HD_INFLATE_EMIT) == 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
  }

  Send send_;
  Receive receive_;
  nghttp2_hd_inflater* inflater_ = nullptr;
  std::string in_;
};

}  // namespace weft::http_test
