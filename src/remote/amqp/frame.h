#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

// The frames of AMQP 0-9-1.
namespace weft::remote::amqp {

// Of a frame, whoever sends it: the server is told, and may say less.
inline constexpr std::size_t kFrameBytesMax = 128UL << 10;
inline constexpr std::size_t kFrameBytesMin = 4'096;  // That each side has to bear.
// Of a frame, what is not its payload.
inline constexpr std::size_t kFrameAround = 8;

struct Frame {
  enum class Kind : std::uint8_t { kMethod = 1, kHeader = 2, kBody = 3, kHeartbeat = 8 };

  Kind kind = Kind::kHeartbeat;
  std::uint16_t channel = 0;
  BytesView payload = {};  // Borrowed from what was read.
};

// The length of the frame at the beginning of the bytes; nothing: more is needed to know. kCorrupt
// for what is none, or too large; kUnsupported for a server that speaks another version.
Result<std::optional<std::size_t>> frame_length(BytesView bytes);
// One frame of that length.
Result<Frame> read_frame(BytesView frame);

// What begins a connection.
void write_greeting(Buffer& out);
void write_heartbeat(Buffer& out);
void write_frame(Buffer& out, const Frame& frame);

// A frame whose payload is written behind it, until this goes.
class FrameOut {
 public:
  FrameOut(Buffer& out, Frame::Kind kind, std::uint16_t channel);
  FrameOut(const FrameOut&) = delete;
  ~FrameOut();

 private:
  Buffer& out_;
  const std::size_t at_;
};

}  // namespace weft::remote::amqp
