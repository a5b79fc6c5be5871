#include "node/object/record.h"

#include <cstring>

namespace weft::node {
namespace {

void append_head(Bytes& out, RecordType type, std::size_t size) {
  out.push_back(static_cast<std::uint8_t>(type));
  auto length = static_cast<std::uint32_t>(size);
  auto* bytes = reinterpret_cast<const std::uint8_t*>(&length);
  out.insert(out.end(), bytes, bytes + sizeof length);
}

}  // namespace

void append_record(Bytes& out, RecordType type, BytesView bytes) {
  append_head(out, type, bytes.size());
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_frame(Bytes& out, OutputStream stream, BytesView bytes) {
  append_head(out, RecordType::kFrame, 1 + bytes.size());
  out.push_back(static_cast<std::uint8_t>(stream));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void RecordReader::add(BytesView bytes) {
  // What was read is let go of once it is the larger part.
  if (at_ > held_.size() / 2) {
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(at_));
    at_ = 0;
  }
  held_.insert(held_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Record>> RecordReader::next() {
  if (held_.size() - at_ < kRecordHeadBytes) return std::nullopt;
  std::uint8_t type = held_[at_];
  std::uint32_t length = 0;
  std::memcpy(&length, held_.data() + at_ + 1, sizeof length);
  if (type < static_cast<std::uint8_t>(RecordType::kFrame) ||
      type > static_cast<std::uint8_t>(RecordType::kReceipt) || length > kRecordBytesMax) {
    return failure(Errc::kInvalid, "what came is no record of a stream of output");
  }
  if (held_.size() - at_ - kRecordHeadBytes < length) return std::nullopt;
  Record record{static_cast<RecordType>(type),
                BytesView(held_).subspan(at_ + kRecordHeadBytes, length)};
  at_ += kRecordHeadBytes + length;
  return record;
}

}  // namespace weft::node
