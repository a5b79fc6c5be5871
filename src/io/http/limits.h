#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace weft {

// What the HTTP wire bears from one client. Each bound is answered with its status: 431 heads, 414
// targets, 413 bodies, 408 clients that stall, 503 too many connections.
struct HttpLimits {
  std::size_t head_bytes_max = 32 * 1024;
  std::size_t headers_max = 128;
  std::size_t trailer_bytes_max = 8 * 1024;
  std::uint64_t body_bytes_max = std::uint64_t{64} << 30;
  std::size_t connections_max = 65'536;  // Over all loops.

  std::chrono::milliseconds tls_timeout{10'000};    // From accepting to the handshake's end.
  std::chrono::milliseconds head_timeout{10'000};   // From a head's first byte to its last.
  std::chrono::milliseconds idle_timeout{60'000};   // Between requests.
  std::chrono::milliseconds body_timeout{30'000};   // While the server side waits for body bytes.
  std::chrono::milliseconds write_timeout{30'000};  // While the client takes nothing.

  bool operator==(const HttpLimits&) const = default;
};

// Body bytes held for a server side that does not take them; then the socket is not read.
inline constexpr std::size_t kBodyBuffer = 64 * 1024;
// Response bytes held for a client that does not take them; then HttpExchange::write says false.
inline constexpr std::size_t kWriteBuffer = 64 * 1024;
// A request body that nobody wanted is read and dropped up to here, to keep the connection.
inline constexpr std::size_t kDrainMax = 256 * 1024;
// How long a connection that is about to close still takes what the client sends, so that the
// client can read the last answer.
inline constexpr std::chrono::milliseconds kLinger{1'000};
// How long a drain waits for the next request of a connection that is idle.
inline constexpr std::chrono::milliseconds kDrainIdle{250};

// HTTP/2, for each connection. A client that goes over one of the last four gets GOAWAY with
// ENHANCE_YOUR_CALM.
//
// Streams at once; more are refused.
inline constexpr std::uint32_t kHttp2StreamsMax = 100;
// Body bytes held for all streams together; kBodyBuffer for one of them.
inline constexpr std::uint32_t kHttp2BodyBuffer = 1024 * 1024;
// Exchanges that the serving side still holds, also of streams that the client has reset: beyond it
// streams are refused.
inline constexpr std::size_t kHttp2HeldMax = 2 * kHttp2StreamsMax;
// Streams that the client resets, or makes us reset: so many at once, and so many a second.
inline constexpr unsigned kHttp2ResetsMax = 200;
inline constexpr unsigned kHttp2ResetsPerSecond = 20;
// Frames that bring nothing (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA): the same. Each
// request and each kHttp2UsefulBytes of its body earns one back, each frame of a response two.
inline constexpr unsigned kHttp2ControlMax = 2000;
inline constexpr unsigned kHttp2ControlPerSecond = 200;
inline constexpr std::size_t kHttp2UsefulBytes = 1024;
// Answers to PING and SETTINGS that wait for a client that does not read.
inline constexpr std::size_t kHttp2AcksMax = 200;
// The head of a response, or its trailers, as they are sent.
inline constexpr std::size_t kHttp2HeadSentMax = 1024 * 1024;
// How often a head may be larger than head_bytes_max, and still get its 431.
inline constexpr std::size_t kHttp2HeadFactor = 4;

}  // namespace weft
