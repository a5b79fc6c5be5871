#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/error.h"

namespace weft::node {

// Bytes of one frame, without its stream.
inline constexpr std::size_t kFrameBytesMax = 65'536;
inline constexpr std::size_t kRecordHeadBytes = 5;
// What a record carries: a frame and its stream's byte; a seal or receipt is shorter.
inline constexpr std::size_t kRecordBytesMax = kFrameBytesMax + 1;

enum class RecordType : std::uint8_t { kFrame = 1, kSeal = 2, kReceipt = 3 };

// Whose bytes are in a frame.
enum class OutputStream : std::uint8_t { kStdout = 1, kStderr = 2, kResult = 3 };

// A record, as docs/NODE_PROTOCOL.md has it: type, length, bytes.
Bytes frame_record(OutputStream stream, BytesView bytes);
Bytes record(RecordType type, BytesView bytes);

// One record of a row of them. Borrows.
struct RecordView {
  RecordType type = RecordType::kFrame;
  BytesView bytes;
  std::size_t size = 0;  // All of it, its head as well.

  // Of a frame, which has a stream: take_record checks it.
  OutputStream stream() const { return OutputStream{bytes[0]}; }
  BytesView payload() const { return bytes.subspan(1); }
};

// The record that `bytes` begin with; one of size 0: not all of it is there yet. kInvalid: it is
// none. Looks at no more than the head before the record is there.
Result<RecordView> take_record(BytesView bytes);

}  // namespace weft::node
