#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"

namespace weft::node {

// The bytes of one frame of output, at most; and the frames before a node has to seal them.
inline constexpr std::size_t kFrameBytesMax = 65'536;
inline constexpr std::size_t kFramesUnsealedMax = 64;

enum class OutputStream : std::uint8_t { kStdout = 1, kStderr = 2, kResult = 3 };

// What a stream of output is a row of: its type, its length, its bytes.
enum class RecordType : std::uint8_t { kFrame = 1, kSeal = 2, kReceipt = 3 };
struct Record {
  RecordType type;
  BytesView bytes;  // Of a frame the stream's byte first.
};
inline constexpr std::size_t kRecordHeadBytes = 5;
inline constexpr std::size_t kRecordBytesMax = 1 + kFrameBytesMax;

void append_record(Bytes& out, RecordType type, BytesView bytes);
void append_frame(Bytes& out, OutputStream stream, BytesView bytes);

// Bytes as they come, to records.
class RecordReader {
 public:
  void add(BytesView bytes);
  // The next whole one, borrowed until the next call. kInvalid, again and again, where what came is
  // no record.
  Result<std::optional<Record>> next();
  // Whether something came that is no whole record yet.
  bool in_the_middle() const { return at_ < held_.size(); }

 private:
  Bytes held_;
  std::size_t at_ = 0;
};

}  // namespace weft::node
