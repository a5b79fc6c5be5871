#include "node/object/record.h"

#include <fmt/format.h>

#include "base/check.h"

namespace weft::node {
namespace {

Bytes head(RecordType type, std::size_t size) {
  CHECK(size <= kRecordBytesMax);
  Bytes out;
  out.reserve(kRecordHeadBytes + size);
  out.push_back(static_cast<std::uint8_t>(type));
  for (unsigned shift = 0; shift < 32; shift += 8) {
    out.push_back(static_cast<std::uint8_t>(size >> shift));
  }
  return out;
}

}  // namespace

Bytes frame_record(OutputStream stream, BytesView bytes) {
  Bytes out = head(RecordType::kFrame, 1 + bytes.size());
  out.push_back(static_cast<std::uint8_t>(stream));
  out.insert(out.end(), bytes.begin(), bytes.end());
  return out;
}

Bytes record(RecordType type, BytesView bytes) {
  Bytes out = head(type, bytes.size());
  out.insert(out.end(), bytes.begin(), bytes.end());
  return out;
}

Result<RecordView> take_record(BytesView bytes) {
  if (bytes.size() < kRecordHeadBytes) return RecordView();
  std::uint8_t type = bytes[0];
  if (type < 1 || type > 3)
    return failure(Errc::kInvalid, fmt::format("a record of type {}", type));
  std::size_t size = 0;
  for (unsigned i = 0; i < 4; ++i) size |= std::size_t{bytes[1 + i]} << (8 * i);
  if (size > kRecordBytesMax) {
    return failure(Errc::kInvalid,
                   fmt::format("a record of {} bytes, {} is the most", size, kRecordBytesMax));
  }
  if (bytes.size() < kRecordHeadBytes + size) return RecordView();
  RecordView view{RecordType{type}, bytes.subspan(kRecordHeadBytes, size), kRecordHeadBytes + size};
  if (view.type != RecordType::kFrame) return view;
  bool known = size > 1 && view.bytes[0] >= 1 && view.bytes[0] <= 3;
  if (!known) return failure(Errc::kInvalid, "a frame of no stream, or without bytes");
  return view;
}

}  // namespace weft::node
