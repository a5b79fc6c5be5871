// Whatever bytes as a record, as a frame and as an export: what reads is written the same again,
// and nothing is read beyond the bytes.
#include "base/check.h"
#include "node/events/event.h"
#include "node/events/export_events.h"
#include "node/events/segment.h"

using namespace weft;
using namespace weft::node;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  BytesView bytes(data, size);
  if (auto event = read_event(bytes)) {
    Bytes again;
    append_event(again, *event);
    CHECK(std::ranges::equal(again, bytes));
    CHECK(again.size() >= kEventBytesMin && again.size() <= kEventBytesMax);
    // The same bytes in a frame whose chain holds.
    Hasher hasher;
    Hash before = Hash::of(bytes);
    Bytes frame;
    append_frame(frame, *event);
    Hash chain = chain_behind(hasher, before, bytes);
    std::ranges::copy(chain.bytes, frame.end() - Hash::kBytes);
    auto read = read_frame(frame, hasher, event->sequence, before);
    CHECK(read && read->event == *event && read->chain == chain);
  }
  Hasher hasher;
  auto frame = read_frame(bytes, hasher, 1, Hash());
  CHECK(!frame || frame->bytes() <= size);
  auto exported = read_export(bytes, PublicKey(), [](const Event&) {});
  return 0;
}
