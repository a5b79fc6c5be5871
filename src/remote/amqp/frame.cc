#include "remote/amqp/frame.h"

#include <string>
#include <string_view>

#include "remote/amqp/fields.h"

namespace weft::remote::amqp {
namespace {

constexpr std::size_t kHeadBytes = 7;
constexpr std::uint8_t kEnd = 0xce;
constexpr std::string_view kGreeting("AMQP\0\0\x09\x01", 8);

bool is_kind(std::uint8_t kind) {
  return kind == 1 || kind == 2 || kind == 3 || kind == 8;
}

}  // namespace

Result<std::optional<std::size_t>> frame_length(BytesView bytes) {
  if (bytes.empty()) return std::nullopt;
  if (bytes[0] == 'A') return failure(Errc::kUnsupported, "it does not speak AMQP 0-9-1");
  if (!is_kind(bytes[0])) return corrupt("a frame that is none");
  if (bytes.size() < kHeadBytes) return std::nullopt;
  In in(bytes.subspan(3));
  std::size_t size = in.four();
  if (size + kFrameAround > kFrameBytesMax) return corrupt("a frame that is too large");
  return size + kFrameAround;
}

Result<Frame> read_frame(BytesView bytes) {
  In in(bytes);
  std::uint8_t kind = in.byte();
  std::uint16_t channel = in.two();
  BytesView payload = in.take(in.four());
  if (in.byte() != kEnd || in.left() > 0 || in.failed() || !is_kind(kind)) {
    return corrupt("a frame without its end");
  }
  return Frame{static_cast<Frame::Kind>(kind), channel, payload};
}

void write_greeting(Buffer& out) {
  out.append(kGreeting);
}

void write_heartbeat(Buffer& out) {
  write_frame(out, {Frame::Kind::kHeartbeat, 0, {}});
}

void write_frame(Buffer& out, const Frame& frame) {
  FrameOut within(out, frame.kind, frame.channel);
  out.append(frame.payload);
}

FrameOut::FrameOut(Buffer& out, Frame::Kind kind, std::uint16_t channel)
    : out_(out), at_(out.size()) {
  put(out_, static_cast<std::uint8_t>(kind));
  put_two(out_, channel);
  put_four(out_, 0);
}

FrameOut::~FrameOut() {
  std::size_t size = out_.size() - at_ - kHeadBytes;
  for (std::size_t i = 0; i < 4; ++i) {
    out_.data()[at_ + 3 + i] = static_cast<std::uint8_t>(size >> (24 - 8 * i));
  }
  put(out_, kEnd);
}

}  // namespace weft::remote::amqp
